#include "common/core/address.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

namespace tunnel {

namespace {

constexpr std::array<std::uint8_t, 12> v4_prefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

bool valid_host_name(std::string_view host) {
    return !host.empty() && host.size() <= 253 && std::all_of(host.begin(), host.end(), [](unsigned char c) {
        return std::isalnum(c) != 0 || c == '-' || c == '.' || c == '_';
    });
}

}  // namespace

Result<Port> parse_port(std::string_view text, PortZero zero) {
    unsigned value = 0;
    const char* end = text.data() + text.size();
    const auto [rest, ec] = std::from_chars(text.data(), end, value);
    const unsigned lowest = zero == PortZero::allowed ? 0 : 1;
    if (ec != std::errc() || rest != end || value > 65535 || value < lowest)
        return fail(Errc::invalid, "\"{}\" is not a port: write a number from {} to 65535", text, lowest);
    return static_cast<Port>(value);
}

Result<HostPort> parse_host_port(std::string_view text, PortZero zero) {
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos)
        return fail(Errc::invalid, "\"{}\" has no port: write HOST:PORT, such as 127.0.0.1:22 or [::1]:22",
                    text);
    auto host = text.substr(0, colon);
    const bool bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
    if (bracketed) host = host.substr(1, host.size() - 2);
    const auto ip = parse_ip(host);
    if (bracketed ? !ip || host.find(':') == std::string_view::npos : !ip && !valid_host_name(host))
        return fail(Errc::invalid,
                    "\"{}\" is not an address: write HOST:PORT, such as 127.0.0.1:22 or [::1]:22", text);
    if (!bracketed && host.find(':') != std::string_view::npos)
        return fail(Errc::invalid,
                    "\"{}\" is ambiguous: an IPv6 address stands in brackets, such as [::1]:22", text);
    auto port = parse_port(text.substr(colon + 1), zero);
    if (!port) return pass(std::move(port.error()));
    return HostPort{std::string(host), *port};
}

std::string to_string(const HostPort& address) {
    const bool v6 = address.host.find(':') != std::string::npos;
    return v6 ? fmt::format("[{}]:{}", address.host, address.port)
              : fmt::format("{}:{}", address.host, address.port);
}

bool IpAddress::is_v4() const {
    return std::equal(v4_prefix.begin(), v4_prefix.end(), bytes.begin());
}

bool IpAddress::is_loopback() const {
    if (is_v4()) return bytes[12] == 127;
    IpAddress one;
    one.bytes[15] = 1;
    return *this == one;
}

std::optional<IpAddress> parse_ip(std::string_view text) {
    const std::string copy(text);
    IpAddress address;
    if (::inet_pton(AF_INET6, copy.c_str(), address.bytes.data()) == 1) return address;
    std::copy(v4_prefix.begin(), v4_prefix.end(), address.bytes.begin());
    if (::inet_pton(AF_INET, copy.c_str(), address.bytes.data() + 12) == 1) return address;
    return std::nullopt;
}

std::string to_string(const IpAddress& address) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (address.is_v4())
        ::inet_ntop(AF_INET, address.bytes.data() + 12, text.data(), text.size());
    else
        ::inet_ntop(AF_INET6, address.bytes.data(), text.data(), text.size());
    return text.data();
}

bool Network::contains(const IpAddress& candidate) const {
    const unsigned whole = prefix / 8;
    if (!std::equal(address.bytes.begin(), address.bytes.begin() + whole, candidate.bytes.begin()))
        return false;
    const unsigned rest = prefix % 8;
    if (rest == 0) return true;
    const auto mask = static_cast<std::uint8_t>(0xff << (8 - rest));
    return (address.bytes[whole] & mask) == (candidate.bytes[whole] & mask);
}

Result<Network> parse_network(std::string_view text) {
    const auto slash = text.find('/');
    const auto ip = parse_ip(text.substr(0, slash));
    if (!ip)
        return fail(Errc::invalid,
                    "\"{}\" is not a network: write an address or ADDRESS/BITS, such as 10.0.0.0/8", text);
    const unsigned bits = ip->is_v4() ? 32 : 128;
    unsigned prefix = bits;
    if (slash != std::string_view::npos) {
        const auto digits = text.substr(slash + 1);
        const char* end = digits.data() + digits.size();
        const auto [rest, ec] = std::from_chars(digits.data(), end, prefix);
        if (ec != std::errc() || rest != end || prefix > bits)
            return fail(Errc::invalid, "\"{}\" is not a network: the bits after / go from 0 to {}", text,
                        bits);
    }
    return Network{*ip, prefix + (128 - bits)};
}

Result<PortRange> parse_port_range(std::string_view text) {
    const auto dash = text.find('-');
    auto first = parse_port(text.substr(0, dash));
    auto last = dash == std::string_view::npos ? first : parse_port(text.substr(dash + 1));
    if (!first || !last || *first > *last)
        return fail(Errc::invalid, "\"{}\" is not a port range: write PORT or FIRST-LAST, such as 1024-65535",
                    text);
    return PortRange{*first, *last};
}

std::string to_string(const PortRange& range) {
    return range.first == range.last ? fmt::format("{}", range.first)
                                     : fmt::format("{}-{}", range.first, range.last);
}

}  // namespace tunnel
