#pragma once
// Which public endpoints the server gives away: the admin's rules in server.toml. Sans-I/O.

#include <functional>
#include <string>
#include <vector>

#include "common/core/address.hpp"
#include "common/mapping/endpoint.hpp"
#include "common/mapping/unix_path.hpp"
#include "common/wire/control_messages.hpp"

namespace tunnel::server {

struct EndpointRules {
    std::vector<IpAddress> bind;  // where a mapping without an address of its own listens
    std::vector<PortRange> allow_ports;
    std::function<bool(Port)> is_tunnel_port;
    std::string public_host;
    std::vector<UnixPathPattern> allow_unix{};
};

// May somebody of that source listen there? Clients are bound by allow_ports, bind and allow_unix; nobody
// gets the tunnel port. `endpoint` has its ports.
Status check_rules(const EndpointRules& rules, wire::MappingSource source, const PublicEndpoint& endpoint);

// The addresses to listen on for an endpoint that is no Unix socket.
std::vector<IpAddress> addresses_of(const EndpointRules& rules, const PublicEndpoint& endpoint);
// What visitors are told: "vps.example.com:2222", "192.0.2.1:6000-6010", "/run/web.sock".
std::string public_address(const EndpointRules& rules, const PublicEndpoint& endpoint);

}  // namespace tunnel::server
