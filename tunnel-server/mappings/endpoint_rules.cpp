#include "tunnel-server/mappings/endpoint_rules.hpp"

#include <algorithm>
#include <optional>

namespace tunnel::server {

namespace {

// The first port of the range that `bad` is true of.
template <class Predicate>
std::optional<Port> find_port(const PortRange& ports, Predicate bad) {
    for (unsigned port = ports.first; port <= ports.last; ++port) {
        if (bad(static_cast<Port>(port))) return static_cast<Port>(port);
    }
    return std::nullopt;
}

template <class T>
std::string list_of(const std::vector<T>& values) {
    std::vector<std::string> texts;
    for (const auto& value : values) texts.push_back(tunnel::to_string(value));
    return texts.empty() ? "none" : fmt::format("{}", fmt::join(texts, ", "));
}

Status check_path(const EndpointRules& rules, const std::string& path) {
    const bool allowed = std::any_of(rules.allow_unix.begin(), rules.allow_unix.end(),
                                     [&](const UnixPathPattern& pattern) { return pattern.matches(path); });
    if (allowed) return {};
    return fail(
        Errc::not_allowed,
        "{} is not among the Unix sockets that the server lets clients make ({}): choose one of those, "
        "or have the server's admin change allow_unix or add the mapping with tunnelctl",
        path, list_of(rules.allow_unix));
}

// A client may narrow down where the server listens, not widen it.
Status check_address(const EndpointRules& rules, const PublicEndpoint& endpoint) {
    if (!endpoint.address) return {};
    const auto& wanted = *endpoint.address;
    const auto covers = [&](const IpAddress& bound) {
        return bound == wanted || (is_wildcard(bound) && (!bound.is_v4() || wanted.is_v4()));
    };
    if (std::any_of(rules.bind.begin(), rules.bind.end(), covers)) return {};
    return fail(
        Errc::not_allowed,
        "{} is not among the addresses on which the server opens public ports ({}): leave the address "
        "out, or have the server's admin change bind or add the mapping with tunnelctl",
        tunnel::to_string(wanted), list_of(rules.bind));
}

}  // namespace

Status check_rules(const EndpointRules& rules, wire::MappingSource source, const PublicEndpoint& endpoint) {
    const bool bound = source == wire::MappingSource::client;
    if (endpoint.is_unix()) return bound ? check_path(rules, endpoint.path) : Status();
    if (const auto port = find_port(endpoint.ports, rules.is_tunnel_port))
        return fail(Errc::conflict, "port {} is the server's own tunnel port: choose another public port",
                    *port);
    if (!bound) return {};
    const auto forbidden = find_port(endpoint.ports, [&](Port port) {
        return std::none_of(rules.allow_ports.begin(), rules.allow_ports.end(),
                            [port](const PortRange& range) { return range.contains(port); });
    });
    if (forbidden)
        return fail(Errc::not_allowed,
                    "port {} is not among the ports that the server lets clients take ({}): choose one of "
                    "those, or have the "
                    "server's admin change allow_ports or add the mapping with tunnelctl",
                    *forbidden, list_of(rules.allow_ports));
    return check_address(rules, endpoint);
}

std::vector<IpAddress> addresses_of(const EndpointRules& rules, const PublicEndpoint& endpoint) {
    return endpoint.address ? std::vector{*endpoint.address} : rules.bind;
}

std::string public_address(const EndpointRules& rules, const PublicEndpoint& endpoint) {
    if (endpoint.is_unix()) return endpoint.path;
    if (endpoint.address && !is_wildcard(*endpoint.address)) return ports_to_string(endpoint);
    const bool v6 = rules.public_host.find(':') != std::string::npos;
    return fmt::format("{}{}{}:{}", v6 ? "[" : "", rules.public_host, v6 ? "]" : "",
                       tunnel::to_string(endpoint.ports));
}

}  // namespace tunnel::server
