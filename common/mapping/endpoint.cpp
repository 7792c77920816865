#include "common/mapping/endpoint.hpp"

#include <algorithm>

#include "common/mapping/unix_path.hpp"

namespace tunnel {

namespace {

constexpr std::string_view unix_prefix = "unix:";

bool only_ports(std::string_view text) {
    return !text.empty() &&
           std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || c == '-'; });
}

// "80" or "6000-6010", with the sentence that fits what was written.
Result<PortRange> parse_ports(std::string_view text, PortZero zero) {
    if (text.find('-') == std::string_view::npos) {
        auto port = parse_port(text, zero);
        if (!port) return pass(std::move(port.error()));
        return PortRange{*port, *port};
    }
    auto range = parse_port_range(text);
    if (range && range->last - range->first + 1U > max_range_ports)
        return fail(Errc::invalid, "\"{}\" are {} ports, and one mapping has {} at most: make several of it",
                    text, range->last - range->first + 1U, max_range_ports);
    return range;
}

std::string with_host(const std::string& host, const PortRange& ports) {
    const bool v6 = host.find(':') != std::string::npos;
    return fmt::format("{}{}{}:{}", v6 ? "[" : "", host, v6 ? "]" : "", to_string(ports));
}

}  // namespace

std::string_view to_string(Protocol protocol) {
    return protocol == Protocol::tcp ? "tcp" : "udp";
}

Result<PublicEndpoint> parse_public_ports(Protocol protocol, std::string_view text) {
    PublicEndpoint endpoint{protocol, std::nullopt, {}, {}};
    auto ports = text;
    if (const auto colon = text.rfind(':'); colon != std::string_view::npos) {
        ports = text.substr(colon + 1);
        auto host = text.substr(0, colon);
        const bool bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
        if (bracketed) host = host.substr(1, host.size() - 2);
        endpoint.address = parse_ip(host);
        if (!endpoint.address || bracketed != (host.find(':') != std::string_view::npos))
            return fail(Errc::invalid,
                        "\"{}\" is not a public address: write PORT, FIRST-LAST or one of the server's own "
                        "addresses before it, such as 192.0.2.1:2222 or [::]:2222",
                        text);
    }
    auto range = parse_ports(ports, PortZero::allowed);
    if (!range) return pass(std::move(range.error()));
    endpoint.ports = *range;
    return endpoint;
}

std::string ports_to_string(const PublicEndpoint& endpoint) {
    return endpoint.address ? with_host(to_string(*endpoint.address), endpoint.ports)
                            : to_string(endpoint.ports);
}

bool overlap(const PublicEndpoint& a, const PublicEndpoint& b) {
    if (a.is_unix() || b.is_unix()) return a.path == b.path;
    if (a.protocol != b.protocol || a.port_is_chosen() || b.port_is_chosen()) return false;
    if (a.ports.last < b.ports.first || b.ports.last < a.ports.first) return false;
    const auto everywhere = [](const std::optional<IpAddress>& address) {
        return !address || is_wildcard(*address);
    };
    return everywhere(a.address) || everywhere(b.address) || a.address == b.address;
}

std::string public_url(std::string_view kind, std::string_view address) {
    return fmt::format("{}{}{}", kind.empty() ? "tcp" : kind, kind == "unix" ? ":" : "://", address);
}

Result<ServiceAddress> parse_service(std::string_view text) {
    ServiceAddress service;
    if (text.starts_with("unix:/")) {
        auto path = parse_unix_path(text.substr(unix_prefix.size()));
        if (!path) return pass(std::move(path.error()));
        service.path = std::move(*path);
        return service;
    }
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos && !only_ports(text))
        return fail(Errc::invalid,
                    "\"{}\" is not a service: write PORT or HOST:PORT, such as 22 or 192.168.1.10:80, or "
                    "unix:/PATH",
                    text);
    if (colon == std::string_view::npos) {
        service.host = "127.0.0.1";
    } else {
        // Any port will do to judge the host.
        auto host = parse_host_port(fmt::format("{}:1", text.substr(0, colon)));
        if (!host)
            return fail(Errc::invalid,
                        "\"{}\" is not an address: write HOST:PORT, such as 127.0.0.1:22 or [::1]:22", text);
        service.host = std::move(host->host);
    }
    auto ports =
        parse_ports(colon == std::string_view::npos ? text : text.substr(colon + 1), PortZero::refused);
    if (!ports) return pass(std::move(ports.error()));
    service.ports = *ports;
    return service;
}

std::string to_string(const ServiceAddress& service) {
    return service.is_unix() ? fmt::format("{}{}", unix_prefix, service.path)
                             : with_host(service.host, service.ports);
}

}  // namespace tunnel
