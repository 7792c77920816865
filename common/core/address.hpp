#pragma once
// Addresses as people write them: host:port, port ranges, networks. Sans-I/O: nothing here resolves a name.

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/core/result.hpp"

namespace tunnel {

using Port = std::uint16_t;

// "1" .. "65535"; 0 is accepted only where the caller says that 0 means "choose one".
enum class PortZero { refused, allowed };
Result<Port> parse_port(std::string_view text, PortZero zero = PortZero::refused);

struct HostPort {
    std::string host;  // a name, 192.0.2.1, or ::1 (no brackets)
    Port port = 0;
    auto operator<=>(const HostPort&) const = default;
};
// "host:port", "192.0.2.1:22", "[::1]:22". A host is an address or a name of RFC 1123 (and _) whose last
// label is no number. Errors show the right form.
Result<HostPort> parse_host_port(std::string_view text, PortZero zero = PortZero::refused);
// Brackets around an IPv6 address.
std::string to_string(const HostPort& address);

// An IPv4 or IPv6 address as 16 bytes; IPv4 is held in its v4-mapped form (RFC 4291 section 2.5.5.2), so that
// a visitor on a dual-stack listener and the same visitor on an IPv4 one are equal.
struct IpAddress {
    std::array<std::uint8_t, 16> bytes{};
    auto operator<=>(const IpAddress&) const = default;
    bool is_v4() const;
    bool is_loopback() const;
};
// :: and 0.0.0.0, which stand for every address of the host.
bool is_wildcard(const IpAddress& address);
std::optional<IpAddress> parse_ip(std::string_view text);
std::string to_string(const IpAddress& address);

// An address and a prefix length: 10.0.0.0/8, ::1, 192.0.2.0/24. Networks of one family never contain
// addresses of the other: ::/0 is all of IPv6 and nothing of IPv4.
struct Network {
    IpAddress address;
    unsigned prefix = 128;  // in the 128-bit form: 96 to 128 for an IPv4 network
    bool is_v4() const { return prefix >= 96 && address.is_v4(); }
    bool contains(const IpAddress& candidate) const;
    auto operator<=>(const Network&) const = default;
};
// The bits beyond the prefix become zero: "192.168.1.10/24" is 192.168.1.0/24. Without /BITS, the one
// address.
Result<Network> parse_network(std::string_view text);
std::string to_string(const Network& network);

// Ports from first to last, written "1024-65535" or "80".
struct PortRange {
    Port first = 0;
    Port last = 0;
    bool contains(Port port) const { return first <= port && port <= last; }
    auto operator<=>(const PortRange&) const = default;
};
Result<PortRange> parse_port_range(std::string_view text);
std::string to_string(const PortRange& range);

}  // namespace tunnel
