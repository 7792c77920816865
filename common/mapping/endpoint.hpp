#pragma once
// The two ends of a mapping: where visitors come, and the service it leads to. Sans-I/O.

#include <optional>
#include <string>
#include <string_view>

#include "common/core/address.hpp"
#include "common/core/result.hpp"

namespace tunnel {

enum class Protocol : std::uint8_t { tcp, udp };
std::string_view to_string(Protocol protocol);

// Each port is a listener, at the server one per worker and address.
constexpr unsigned max_range_ports = 1024;

// Where visitors come: one port or several in a row, or a Unix socket of the server's host.
struct PublicEndpoint {
    Protocol protocol = Protocol::tcp;
    std::optional<IpAddress> address;  // empty: the server's bind addresses
    PortRange ports;                   // {0, 0}: one that the server chooses
    std::string path;                  // of the Unix socket; the others are then as above

    bool is_unix() const { return !path.empty(); }
    bool port_is_chosen() const { return !is_unix() && ports.first == 0; }
    // 1 for a Unix socket and for a port that the server chooses.
    unsigned size() const { return ports.last - ports.first + 1U; }
    // "tcp", "udp" or "unix"
    std::string_view kind() const { return is_unix() ? "unix" : to_string(protocol); }
    bool operator==(const PublicEndpoint&) const = default;
};

// "2222", "0", "6000-6010", and after an address of the server's: "192.0.2.1:2222", "[::]:6000-6010".
Result<PublicEndpoint> parse_public_ports(Protocol protocol, std::string_view text);
// What parse_public_ports takes back. Not of a Unix socket.
std::string ports_to_string(const PublicEndpoint& endpoint);
// True when both cannot be listened on at the same time, as far as it can be told without the host's
// addresses.
bool overlap(const PublicEndpoint& a, const PublicEndpoint& b);
// How a log or a view writes an address that visitors can use: "tcp://vps.example.com:2222",
// "unix:/run/web.sock".
std::string public_url(std::string_view kind, std::string_view address);

// An inside address: a host and one port or several in a row, or a Unix socket.
struct ServiceAddress {
    std::string host;  // as HostPort has it
    PortRange ports;
    std::string path;  // of the Unix socket; the others are then empty

    bool is_unix() const { return !path.empty(); }
    unsigned size() const { return ports.last - ports.first + 1U; }
    // The one for the visitors of the public endpoint's first port, second port and so on: offset < size().
    HostPort at(unsigned offset) const { return {host, static_cast<Port>(ports.first + offset)}; }
    bool operator==(const ServiceAddress&) const = default;
};

// "192.168.1.10:80", "nas.lan:6000-6010", "[::1]:22", "unix:/run/x.sock"; "22" and "6000-6010" are on
// 127.0.0.1.
Result<ServiceAddress> parse_service(std::string_view text);
std::string to_string(const ServiceAddress& service);

}  // namespace tunnel
