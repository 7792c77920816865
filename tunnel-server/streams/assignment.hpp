#pragma once
// A visitor given to a data connection: all that the worker needs to serve it. A value that crosses threads.

#include <memory>

#include "common/core/clock.hpp"
#include "common/core/secret.hpp"
#include "common/net/asio.hpp"
#include "common/net/socket.hpp"
#include "common/net/unique_fd.hpp"
#include "common/wire/preface.hpp"
#include "common/wire/stream_head.hpp"
#include "tunnel-server/mappings/mapping.hpp"

namespace tunnel::server {

struct Visitor {
    net::UniqueFd fd;
    net::tcp::endpoint peer;
};

struct Assignment {
    Visitor visitor;
    MappingKey mapping;
    std::shared_ptr<MappingCounters> counters;
    wire::StreamOpen open;
    Secret ticket_key;
    wire::Preface preface;
    net::Liveness liveness;
};

// Closes with a reset, so that the visitor knows at once that nobody serves it.
inline void refuse_visitor(Visitor visitor) {
    net::set_reset_on_close(visitor.fd.get(), true);
}

}  // namespace tunnel::server
