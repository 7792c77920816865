#pragma once
// A mapping with everything that its owner can say of it. The defaults are those of an empty [[mapping]]. A
// new option is a member here and an entry in option_table.cpp.

#include <string>

#include "common/core/clock.hpp"
#include "common/mapping/datagram_transport.hpp"
#include "common/mapping/endpoint.hpp"

namespace tunnel {

constexpr Millis shortest_visit = Seconds(1);  // of idle_timeout, lifetime and keepalive, when they are on
constexpr Millis longest_visit = std::chrono::hours(24 * 365);
constexpr Millis longest_keepalive = std::chrono::hours(4);

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
    bool operator==(const MappingOptions&) const = default;
};

// Every rule about a mapping that needs no knowledge of other mappings.
Status check_mapping(const MappingOptions& mapping);

// The name that `expose` gives when its user gives none: "tcp-22" for a service on port 22.
std::string default_mapping_name(const MappingOptions& mapping);

}  // namespace tunnel
