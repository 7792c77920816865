#pragma once
// Two TLS objects that hand each other bytes, as a network would: in pieces of any size.

#include <algorithm>
#include <functional>

#include "common/core/bytes.hpp"
#include "common/core/result.hpp"

namespace tunnel::tls::test {

using ChunkSize = std::function<std::size_t()>;
inline std::size_t whole() {
    return static_cast<std::size_t>(-1);
}

// What one side's handshake() last said.
struct Progress {
    Result<bool> result = false;
    bool going_on() const { return result && !*result; }
    bool complete() const { return result && *result; }
};

// Hands `bytes` to `to` piece by piece, with a handshake() after each.
template <class To>
void deliver(BytesView bytes, To& to, Progress& progress, const ChunkSize& chunk) {
    while (!bytes.empty()) {
        const std::size_t size = std::min(chunk(), bytes.size());
        to.feed(bytes.first(size));
        bytes = bytes.subspan(size);
        if (progress.going_on()) progress.result = to.handshake();
    }
}

template <class Client, class Server>
std::pair<Progress, Progress> shake_hands(Client& client, Server& server, const ChunkSize& chunk = whole) {
    Progress client_progress;
    Progress server_progress;
    client_progress.result = client.handshake();
    for (bool moved = true; moved;) {
        const Bytes to_server = client.take_output();
        deliver(to_server, server, server_progress, chunk);
        const Bytes to_client = server.take_output();
        deliver(to_client, client, client_progress, chunk);
        moved = !to_server.empty() || !to_client.empty();
    }
    return {std::move(client_progress), std::move(server_progress)};
}

}  // namespace tunnel::tls::test
