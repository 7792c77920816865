#pragma once
// A data connection on which the server opened a stream for datagrams, and what is known of the service. A
// value that crosses threads.

#include <optional>
#include <string>

#include "common/core/bytes.hpp"
#include "common/net/datagram/udp_socket.hpp"
#include "common/net/unique_fd.hpp"
#include "common/tls/key_schedule.hpp"
#include "common/wire/stream_head.hpp"

namespace tunnel::client {

struct DatagramGrant {
    net::UniqueFd fd;
    Bytes begun;            // of what follows the stream's head
    wire::StreamOpen open;  // its `datagrams` are there
    tls::CarrierKeys keys;
    net::udp::endpoint service;
    // Where packets go; nothing when the way to the server is one that carries TCP only.
    std::optional<net::udp::endpoint> server;
    std::string way;
};

}  // namespace tunnel::client
