#pragma once
// The server's half of a visitor's connection, from the moment a data connection and a visitor belong
// together. Runs on the worker that owns the data connection.

#include <functional>

#include "common/net/worker.hpp"
#include "tunnel-server/streams/assignment.hpp"

namespace tunnel::server {

// Told (on the worker) when a visitor could not be served: for the mapping's last error.
using StreamFailure = std::function<void(const MappingKey& mapping, const std::string& reason)>;

// Opens the stream at the client, relays, and logs "visitor closed". The visitor's first bytes flow before
// the client has answered.
void serve_visitor(net::Worker& worker, net::UniqueFd data, Assignment assignment, StreamFailure on_failure);

}  // namespace tunnel::server
