#pragma once
// One data connection at the client until its stream is open: dial, preface, the server's StreamOpen. One
// worker's thread.

#include <memory>
#include <optional>

#include "common/net/asio.hpp"
#include "common/net/relay/relay.hpp"
#include "common/net/watched_socket.hpp"
#include "common/net/worker.hpp"
#include "common/wire/preface.hpp"
#include "common/wire/stream_head.hpp"
#include "tunnel-client/data/data_plane.hpp"

namespace tunnel::client {

// A stream that a visitor waits on, and the keys that go with it.
struct OpenedStream {
    std::unique_ptr<net::WatchedSocket> socket;
    Bytes begun;  // of what follows the head
    wire::StreamOpen open;
    net::RecordLayers records;
    std::optional<tls::CarrierKeys> carrier_keys;  // when it is for datagrams
};

// The preface of this job with a nonce of its own, as it is sent.
Bytes make_preface(const DataJob& job, wire::Preface& preface);

// Dials the tunnel port by the way that the control connection went, and sends the preface. Errors name the
// address.
net::awaitable<Result<std::unique_ptr<net::WatchedSocket>>> open_data_connection(net::Worker& worker,
                                                                                 const DataJob& job,
                                                                                 wire::Preface& preface);

// Waits for the server's head. Errc::closed: the server had no visitor for it after all, which is nothing
// unusual.
net::awaitable<Result<OpenedStream>> await_stream(net::Worker& worker,
                                                  std::unique_ptr<net::WatchedSocket> socket,
                                                  const DataJob& job, const wire::Preface& preface);

// The answer as it is sent, sealed.
Result<Bytes> seal_answer(OpenedStream& stream, const wire::StreamAnswer& answer);
// For the first words on a fresh connection, whose buffer holds them unless it is broken.
bool send_at_once(int fd, BytesView bytes);

}  // namespace tunnel::client
