#include "common/mapping/mapping_options.hpp"

#include <algorithm>
#include <cctype>

#include "common/core/names.hpp"

namespace tunnel {

namespace {

Status check_ends(const MappingOptions& mapping) {
    const auto& endpoint = mapping.endpoint;
    const auto& service = mapping.service;
    if (endpoint.protocol == Protocol::udp && service.is_unix())
        return fail(Errc::invalid,
                    "mapping \"{}\" leads datagrams to {}: a Unix socket takes streams only, write HOST:PORT",
                    mapping.name, to_string(service));
    if (endpoint.size() != service.size())
        return fail(
            Errc::invalid,
            "mapping \"{}\" has {} public port{} and {} of the service ({}): write ranges of the same "
            "length",
            mapping.name, endpoint.size(), endpoint.size() == 1 ? "" : "s", service.size(),
            to_string(service));
    return {};
}

Status check_networks(const MappingOptions& mapping) {
    const auto count =
        mapping.visitors.allow.size() + mapping.visitors.deny.size() + mapping.accept_proxy_from.size();
    if (count <= max_networks) return {};
    return fail(
        Errc::limit,
        "mapping \"{}\" has {} entries in allow, deny and accept_proxy_from: at most {} stand there, put "
        "more into a file that server.toml names ([[list]]) and write list:NAME",
        mapping.name, count, max_networks);
}

Status check_proxies(const MappingOptions& mapping) {
    const auto& endpoint = mapping.endpoint;
    const bool udp = endpoint.protocol == Protocol::udp && !endpoint.is_unix();
    if (udp && mapping.proxy_protocol == wire::ProxyVersion::v1)
        return fail(Errc::invalid,
                    "mapping \"{}\" has proxy_protocol v1, which knows of no datagrams: write v2",
                    mapping.name);
    if (udp && (!mapping.accept_proxy_from.empty() || mapping.accept_proxy_from_unix))
        return fail(Errc::invalid,
                    "mapping \"{}\" has accept_proxy_from, which is for connections and not for datagrams: "
                    "leave it out",
                    mapping.name);
    if (mapping.accept_proxy_from_unix && !endpoint.is_unix())
        return fail(Errc::invalid,
                    "mapping \"{}\" has accept_proxy_from \"unix\" and no Unix socket for visitors: name the "
                    "proxy's network instead",
                    mapping.name);
    if (!mapping.accept_proxy_from.empty() && endpoint.is_unix())
        return fail(Errc::invalid,
                    "mapping \"{}\" has networks in accept_proxy_from, and who comes to a Unix socket has no "
                    "address: write \"unix\" instead",
                    mapping.name);
    return {};
}

}  // namespace

Status check_mapping(const MappingOptions& mapping) {
    if (auto named = check_name("mapping", mapping.name); !named) return named;
    if (!mapping.service.is_unix() && (mapping.service.host.empty() || mapping.service.ports.first == 0))
        return fail(Errc::invalid,
                    "mapping \"{}\" has no service: say where it leads, such as 22 or 192.168.1.10:80",
                    mapping.name);
    const bool udp = mapping.endpoint.protocol == Protocol::udp;
    const MappingOptions usual;
    if (udp && (mapping.times != usual.times || mapping.keepalive != usual.keepalive))
        return fail(
            Errc::invalid,
            "mapping \"{}\" has no connections: idle_timeout, lifetime and keepalive do not belong to udp "
            "mappings, flow_timeout does",
            mapping.name);
    if (!udp && mapping.datagrams != usual.datagrams)
        return fail(Errc::invalid,
                    "mapping \"{}\" carries no datagrams: transport and flow_timeout belong to udp mappings",
                    mapping.name);
    if (auto ok = check_ends(mapping); !ok) return ok;
    if (auto ok = check_networks(mapping); !ok) return ok;
    if (auto ok = check_proxies(mapping); !ok) return ok;
    return check_group(mapping);
}

std::string default_mapping_name(const MappingOptions& mapping) {
    if (!mapping.service.is_unix())
        return fmt::format("{}-{}", mapping.endpoint.kind(), to_string(mapping.service.ports));
    auto name = mapping.service.path.substr(mapping.service.path.rfind('/') + 1).substr(0, 50);
    std::replace_if(
        name.begin(), name.end(), [](unsigned char c) { return std::isalnum(c) == 0 && c != '.'; }, '-');
    return fmt::format("{}-{}", mapping.endpoint.kind(), name);
}

}  // namespace tunnel
