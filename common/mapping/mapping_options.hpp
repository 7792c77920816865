#pragma once
// A mapping with everything that its owner can say of it. The defaults are those of an empty [[mapping]]. A
// new option is a member here and an entry in option_table.cpp.

#include <optional>
#include <string>
#include <vector>

#include "common/core/clock.hpp"
#include "common/core/visitor_limits.hpp"
#include "common/mapping/datagram_transport.hpp"
#include "common/mapping/endpoint.hpp"
#include "common/mapping/group_options.hpp"
#include "common/wire/proxy_protocol.hpp"

namespace tunnel {

constexpr Millis shortest_visit = Seconds(1);  // of idle_timeout, lifetime and keepalive, when they are on
constexpr Millis longest_visit = std::chrono::hours(24 * 365);
constexpr Millis longest_keepalive = std::chrono::hours(4);

constexpr std::size_t max_networks = 500;  // in allow, deny and accept_proxy_from of one mapping

// How long a visitor may stay. 0: no limit. Enforced by the server, to within half a second.
struct VisitorTimes {
    Millis idle_timeout{0};  // without a byte in either direction
    Millis lifetime{0};      // in all
    bool operator==(const VisitorTimes&) const = default;
};

constexpr Millis shortest_flow_timeout = Seconds(1);
constexpr Millis longest_flow_timeout = std::chrono::hours(24);

// Of a UDP mapping.
struct DatagramOptions {
    DatagramTransport transport = DatagramTransport::automatic;
    Millis flow_timeout{60'000};  // a visitor whose datagrams cease for so long is forgotten
    bool operator==(const DatagramOptions&) const = default;
};

struct MappingOptions {
    std::string name;
    PublicEndpoint endpoint{};
    ServiceAddress service{};
    bool encrypt = true;  // false only for services that encrypt end to end themselves: SSH, HTTPS
    VisitorTimes times{};
    // Silence on the visitor's and on the service's socket after which TCP asks whether the peer is there; a
    // peer that does not answer for as long again is gone. 0: never.
    Seconds keepalive{60};
    DatagramOptions datagrams{};
    // Who may visit, and how much.
    VisitorLimits visitors{};
    // The service is told who the visitor is by a PROXY header of this version.
    std::optional<wire::ProxyVersion> proxy_protocol{};
    // Proxies in front of the public endpoint, whose connections begin with a PROXY header. Others are
    // visitors themselves.
    std::vector<Network> accept_proxy_from{};
    bool accept_proxy_from_unix = false;  // the same of everybody on a Unix socket
    GroupOptions group{};
    bool operator==(const MappingOptions&) const = default;
};

// Every rule about a mapping that needs no knowledge of other mappings.
Status check_mapping(const MappingOptions& mapping);

// The name that `expose` gives when its user gives none: "tcp-22" for a service on port 22.
std::string default_mapping_name(const MappingOptions& mapping);

}  // namespace tunnel
