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

// A data connection whose stream has ended in both directions, and what its client has to know to use it
// again.
struct Returned {
    net::ParkedSocket socket;
    Bytes begun;                 // what its client has sent on it since
    bool may_have_more = false;  // to be read now, for it has been told of
    SessionId session;
    TicketNumber ticket;
    Secret key;  // tls::next_ticket_key()
};

struct StreamHooks {
    StreamFailure on_failure;
    // The data connection broke before the client had answered: the visitor needs another one.
    std::function<void(WaitingVisitor)> on_unanswered;
    // The visitor has gone, and the client may use the data connection again.
    std::function<void(Returned)> on_returned;
};

// Opens the stream at the client, relays, and logs "visitor closed". The visitor's first bytes flow before
// the client has answered. `hooks` outlives the worker's relays.
void serve_visitor(net::Worker& worker, Assignment assignment, const StreamHooks& hooks);

}  // namespace tunnel::server
