#include "tunnel-client/config/allow_rule.hpp"

#include <algorithm>
#include <cctype>

namespace tunnel::client {

namespace {

std::string plain_host(std::string_view host) {
    if (host.ends_with('.')) host.remove_suffix(1);
    std::string lower(host);
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return lower;
}

tl::unexpected<Error> refuse(std::string_view text) {
    return fail(
        Errc::invalid,
        "\"{}\" is not an allow rule: write HOST, ADDRESS or NETWORK, and :PORT or :FIRST-LAST after it "
        "if not all ports are meant, such as 192.168.1.0/24, nas.lan:80-90 or [fd00::]/8:443; for Unix "
        "sockets "
        "unix:/PATH",
        text);
}

// The two parts of a rule; IPv6 addresses have lost their brackets.
struct Parts {
    std::string host;
    std::optional<std::string_view> ports;
};

std::optional<Parts> split(std::string_view text) {
    if (text.starts_with('[')) {
        const auto close = text.find(']');
        if (close == std::string_view::npos) return std::nullopt;
        const auto address = text.substr(1, close - 1);
        if (address.find(':') == std::string_view::npos) return std::nullopt;
        const auto rest = text.substr(close + 1);
        const auto colon = rest.find(':');
        const auto bits = rest.substr(0, colon);
        if (!bits.empty() && bits.front() != '/') return std::nullopt;
        Parts parts{fmt::format("{}{}", address, bits), std::nullopt};
        if (colon != std::string_view::npos) parts.ports = rest.substr(colon + 1);
        return parts;
    }
    const auto colon = text.find(':');
    // Two colons: an IPv6 address without brackets, which leaves no room for ports.
    if (colon == std::string_view::npos || text.find(':', colon + 1) != std::string_view::npos)
        return Parts{std::string(text), std::nullopt};
    return Parts{std::string(text.substr(0, colon)), text.substr(colon + 1)};
}

}  // namespace

Result<AllowRule> parse_allow_rule(std::string_view text) {
    AllowRule rule;
    if (text.starts_with("unix:/")) {
        auto pattern = parse_unix_path_pattern(text.substr(5));
        if (!pattern) return pass(std::move(pattern.error()));
        rule.host = std::move(*pattern);
        return rule;
    }
    const auto parts = split(text);
    if (!parts) return refuse(text);
    if (auto network = parse_network(parts->host))
        rule.host = *network;
    else if (parse_host_port(parts->host + ":1"))
        rule.host = plain_host(parts->host);
    else
        return refuse(text);
    if (parts->ports) {
        auto ports = parse_port_range(*parts->ports);
        if (!ports) return refuse(text);
        rule.ports = *ports;
    }
    return rule;
}

std::string to_string(const AllowRule& rule) {
    if (const auto* pattern = std::get_if<UnixPathPattern>(&rule.host))
        return fmt::format("unix:{}", tunnel::to_string(*pattern));
    std::string text;
    const bool all_ports = rule.ports == PortRange{1, 65535};
    if (const auto* network = std::get_if<Network>(&rule.host)) {
        text = tunnel::to_string(*network);
        // Brackets go around the address alone: [fd00::]/8:443.
        if (!network->is_v4() && !all_ports) {
            const auto slash = std::min(text.find('/'), text.size());
            text = fmt::format("[{}]{}", text.substr(0, slash), text.substr(slash));
        }
    } else {
        text = std::get<std::string>(rule.host);
    }
    if (!all_ports) text += fmt::format(":{}", tunnel::to_string(rule.ports));
    return text;
}

bool allows(const std::vector<AllowRule>& rules, std::string_view host, const IpAddress& resolved,
            Port port) {
    const auto written = plain_host(host);
    return std::any_of(rules.begin(), rules.end(), [&](const AllowRule& rule) {
        if (!rule.ports.contains(port)) return false;
        if (const auto* network = std::get_if<Network>(&rule.host)) return network->contains(resolved);
        const auto* name = std::get_if<std::string>(&rule.host);
        return name != nullptr && *name == written;
    });
}

bool allows_path(const std::vector<AllowRule>& rules, std::string_view path) {
    return std::any_of(rules.begin(), rules.end(), [&](const AllowRule& rule) {
        const auto* pattern = std::get_if<UnixPathPattern>(&rule.host);
        return pattern != nullptr && pattern->matches(path);
    });
}

std::vector<AllowRule> loopback_rules() {
    IpAddress v4 = *parse_ip("127.0.0.0");
    IpAddress v6 = *parse_ip("::1");
    return {AllowRule{Network{v4, 96 + 8}, {1, 65535}}, AllowRule{Network{v6, 128}, {1, 65535}}};
}

}  // namespace tunnel::client
