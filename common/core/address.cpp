#include "common/core/address.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <cctype>
#include <charconv>

namespace tunnel {

namespace {

constexpr std::array<std::uint8_t, 12> v4_prefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

bool valid_label(std::string_view label) {
    return !label.empty() && label.size() <= 63 &&
           std::all_of(label.begin(), label.end(),
                       [](unsigned char c) { return std::isalnum(c) != 0 || c == '-' || c == '_'; });
}

// RFC 1123 section 2.1, and the underscore that containers' names have. A name whose last label is a number
// is a mistyped IPv4 address (192.168.1, 10.0.0.256), which a resolver would take for something else.
bool valid_host_name(std::string_view host) {
    if (host.ends_with('.')) host.remove_suffix(1);
    if (host.size() > 253) return false;
    for (;;) {
        const auto dot = host.find('.');
        const auto label = host.substr(0, dot);
        if (!valid_label(label)) return false;
        if (dot == std::string_view::npos)
            return !std::all_of(label.begin(), label.end(),
                                [](unsigned char c) { return std::isdigit(c) != 0; });
        host.remove_prefix(dot + 1);
    }
}

IpAddress masked(IpAddress address, unsigned prefix) {
    for (std::size_t i = 0; i < address.bytes.size(); ++i) {
        const unsigned kept = prefix > 8 * i ? std::min(8U, prefix - static_cast<unsigned>(8 * i)) : 0;
        address.bytes[i] &= static_cast<std::uint8_t>(0xff << (8 - kept));
    }
    return address;
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

bool is_wildcard(const IpAddress& address) {
    const auto zero = [](std::uint8_t byte) { return byte == 0; };
    const auto skipped = address.is_v4() ? 12 : 0;
    return std::all_of(address.bytes.begin() + skipped, address.bytes.end(), zero);
}

std::optional<IpAddress> parse_ip(std::string_view text) {
    // inet_pton(3) would stop at a zero byte and take the rest for granted.
    if (text.find('\0') != std::string_view::npos) return std::nullopt;
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
    // ::/0 means every IPv6 address to whoever writes it; that IPv4 is held in a corner of the same space is
    // our own doing.
    if (candidate.is_v4() != is_v4()) return false;
    return Network{masked(candidate, prefix), prefix} == Network{masked(address, prefix), prefix};
}

Result<Network> parse_network(std::string_view text) {
    const auto slash = text.find('/');
    const auto host = text.substr(0, slash);
    const auto ip = parse_ip(host);
    if (!ip)
        return fail(Errc::invalid,
                    "\"{}\" is not a network: write an address or ADDRESS/BITS, such as 10.0.0.0/8", text);
    const unsigned bits = host.find(':') == std::string_view::npos ? 32 : 128;
    unsigned prefix = bits;
    if (slash != std::string_view::npos) {
        const auto digits = text.substr(slash + 1);
        const char* end = digits.data() + digits.size();
        const auto [rest, ec] = std::from_chars(digits.data(), end, prefix);
        if (ec != std::errc() || rest != end || prefix > bits)
            return fail(Errc::invalid, "\"{}\" is not a network: the bits after / go from 0 to {}", text,
                        bits);
    }
    prefix += 128 - bits;
    return Network{masked(*ip, prefix), prefix};
}

std::string to_string(const Network& network) {
    const unsigned bits = network.is_v4() ? network.prefix - 96 : network.prefix;
    return network.prefix == 128 ? to_string(network.address)
                                 : fmt::format("{}/{}", to_string(network.address), bits);
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
