#pragma once
// One data connection at the client until its stream is open: dial, preface, the server's StreamOpen. One
// worker's thread.

#include <optional>

#include "common/net/asio.hpp"
#include "common/net/relay/relay.hpp"
#include "common/net/worker.hpp"
#include "common/wire/preface.hpp"
#include "common/wire/stream_head.hpp"
#include "tunnel-client/data/data_plane.hpp"

namespace tunnel::client {

// A stream that a visitor waits on, and the keys that go with it.
struct OpenedStream {
    net::UniqueFd fd;
    wire::StreamOpen open;
    net::RecordLayers records;
    std::optional<tls::CarrierKeys> carrier_keys;  // when it is for datagrams
};

// Dials the tunnel port and sends the preface. Errors name the address.
net::awaitable<Result<net::UniqueFd>> dial_with_preface(const DataJob& job, wire::Preface& preface);

// Waits for the server's head. Errc::closed: the server had no visitor for it after all, which is nothing
// unusual.
net::awaitable<Result<OpenedStream>> await_stream(net::Worker& worker, net::UniqueFd fd, const DataJob& job,
                                                  wire::Preface preface);

// Seals and sends the answer.
Status send_answer(OpenedStream& stream, const wire::StreamAnswer& answer);

}  // namespace tunnel::client
