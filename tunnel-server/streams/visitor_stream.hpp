#pragma once
// The server's half of a visitor's connection, from the moment a data connection and a visitor belong
// together. Runs on the worker that owns the data connection.

#include <functional>

#include "common/net/worker.hpp"
#include "tunnel-server/pool/ready_pool.hpp"
#include "tunnel-server/streams/assignment.hpp"

namespace tunnel::server {

// Told (on the worker) when a visitor could not be served: for the mapping's last error.
using StreamFailure = std::function<void(const MappingKey& mapping, const std::string& reason)>;

struct Assignment {
    WaitingVisitor visitor;
    ConnectionId id;
    ReadyConnection data;
};

struct StreamHooks {
    StreamFailure on_failure;
    // The data connection broke before the client had answered: the visitor needs another one.
    std::function<void(WaitingVisitor)> on_unanswered;
};

// Opens the stream at the client, relays, and logs "visitor closed". The visitor's first bytes flow before
// the client has answered. `hooks` outlives the worker's relays.
void serve_visitor(net::Worker& worker, Assignment assignment, const StreamHooks& hooks);

}  // namespace tunnel::server
