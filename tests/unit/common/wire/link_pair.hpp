#pragma once
// Two control links that hand each other bytes, and a time that moves only when a test says so.

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "common/wire/control_link.hpp"

namespace tunnel::wire {

// Any moment will do; none is read from a clock.
constexpr TimePoint start = TimePoint(std::chrono::hours(1000));
constexpr HeartbeatTimes ten_and_thirty{Millis(10'000), Millis(30'000)};

inline ControlMessage a_login() {
    return Login{"home", "", 7, Bytes(proof_size, 0x5a), true, "tunnel-client 1.0.0"};
}
inline ControlMessage an_acceptance() {
    return LoginAccepted{SessionId{42}, "vps.example.com", "tunnel-server 1.0.0"};
}

struct LinkPair {
    explicit LinkPair(HeartbeatTimes times = ten_and_thirty)
        : server(End::server, times, start), client(End::client, times, start) {}

    // Moves all pending bytes one way, at most `chunk` at a time.
    static Status move(ControlLink& from, ControlLink& to, TimePoint now, std::vector<ControlMessage>& out,
                       std::size_t chunk) {
        const Bytes bytes = from.take_output();
        for (BytesView rest(bytes); !rest.empty();) {
            const auto part = rest.first(std::min(chunk, rest.size()));
            rest = rest.subspan(part.size());
            if (auto ok = to.receive(part, now, out); !ok) return ok;
        }
        return {};
    }
    Status to_server() { return move(client, server, now, at_server, chunk); }
    Status to_client() { return move(server, client, now, at_client, chunk); }

    // Hello both ways, login and its answer; what the ends received of that is dropped.
    void log_in() {
        client.send(a_login());
        ASSERT_TRUE(to_server());
        server.send(an_acceptance());
        ASSERT_TRUE(to_client());
        ASSERT_TRUE(server.established());
        ASSERT_TRUE(client.established());
        at_server.clear();
        at_client.clear();
    }

    TimePoint now = start;
    std::size_t chunk = std::numeric_limits<std::size_t>::max();
    ControlLink server;
    ControlLink client;
    std::vector<ControlMessage> at_server;
    std::vector<ControlMessage> at_client;
};

inline Bytes framed(const ControlMessage& message) {
    Bytes out;
    append_frame(out, encode(message));
    return out;
}

// A login of exactly `size` encoded bytes: the padding is a field of a newer version.
inline Bytes padded_payload(const ControlMessage& message, std::size_t size) {
    Bytes out = encode(message);
    std::size_t padding = size - out.size() - 7;  // two bytes of tag, five of length
    append(out, Bytes{0xa2, 0x06});
    for (int i = 0; i < 4; ++i, padding >>= 7) out.push_back(static_cast<Byte>(0x80 | (padding & 0x7f)));
    out.push_back(static_cast<Byte>(padding));
    out.resize(size);
    return out;
}

}  // namespace tunnel::wire
