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
    return check_ends(mapping);
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
