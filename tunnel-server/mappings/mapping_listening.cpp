// How a mapping comes to its listeners: what may be listened on, and which port is chosen. The rest of
// MappingTable is in mapping_table.cpp.

#include <algorithm>
#include <utility>

#include "common/core/secret.hpp"
#include "common/core/version.hpp"
#include "common/mapping/option_table.hpp"
#include "common/net/socket.hpp"
#include "tunnel-server/mappings/mapping_table.hpp"
#include "tunnel-server/udp/udp_plane.hpp"

namespace tunnel::server {

Status MappingTable::open(Mapping& mapping) {
    if (!mapping.problem.empty()) return fail(Errc::version, "{}", mapping.problem);
    const auto& group = mapping.options.group.name;
    if (auto ok = check_share(mapping.key, mapping.source, mapping.options); !ok) return ok;
    if (const auto* other = listening_in_group(group); other && mapping.options.endpoint.port_is_chosen()) {
        mapping.listen_with(*other);
        mapping.port = other->port;
        remember_port(mapping);
        log_listening(mapping);
        return {};
    }
    if (!mapping.options.endpoint.port_is_chosen()) {
        if (auto ok = check_endpoint(mapping.key, mapping.source, mapping.options.endpoint, group); !ok)
            return ok;
        return open_on(mapping, mapping.options.endpoint);
    }
    auto endpoint = mapping.options.endpoint;
    for (const Port port : candidates(mapping)) {
        endpoint.ports = {port, port};
        if (!check_endpoint(mapping.key, wire::MappingSource::client, endpoint, group) ||
            !open_on(mapping, endpoint))
            continue;
        remember_port(mapping);
        return {};
    }
    return fail(Errc::limit,
                "no free public port was found among those that the server's allow_ports permits");
}

void MappingTable::remember_port(const Mapping& mapping) {
    if (std::exchange(assigned_ports_[mapping.key], mapping.port) == mapping.port) return;
    hooks_.on_port_chosen(mapping.key, mapping.port);
}

// Half of the descriptors are for visitors, whatever ranges are asked for.
Status MappingTable::check_descriptors(const PublicPlace& place) const {
    std::size_t open = 0;
    std::set<const void*> counted;  // those of a group have one
    for (const auto& [key, mapping] : mappings_) {
        if (mapping.listener && counted.insert(mapping.listener.get()).second)
            open += mapping.listener->sockets();
        if (mapping.udp_listener && counted.insert(mapping.udp_listener.get()).second)
            open += mapping.udp_listener->sockets();
    }
    const auto needed = PublicListener::sockets_for(place, workers_.size());
    const auto limit = net::descriptor_limit();
    if (open + needed <= limit / 2) return {};
    return fail(
        Errc::limit,
        "the server has {} listening sockets, and {} more would leave too few of its {} descriptors to "
        "visitors: ask for fewer ports, or raise the limit of open files (LimitNOFILE, ulimit -n)",
        open, needed, limit);
}

Status MappingTable::listen(Mapping& mapping, const PublicEndpoint& endpoint) {
    const auto place = place_of(endpoint, mapping.options.keepalive);
    if (auto ok = check_descriptors(place); !ok) return ok;
    return endpoint.protocol == Protocol::udp ? open_udp(mapping, place) : open_tcp(mapping, place);
}

Status MappingTable::open_on(Mapping& mapping, const PublicEndpoint& endpoint) {
    if (const auto* other = listening_in_group(mapping.options.group.name))
        mapping.listen_with(*other);
    else if (auto ok = listen(mapping, endpoint); !ok)
        return ok;
    mapping.port = endpoint.ports.first;
    log_listening(mapping);
    return {};
}

void MappingTable::log_listening(const Mapping& mapping) const {
    log_.info("mapping listening", {{"mapping", mapping.key.name},
                                    {"client", mapping.key.client},
                                    {"public", public_address(mapping)},
                                    {"service", to_string(mapping.options.service)},
                                    {"encrypt", mapping.options.encrypt},
                                    {"options", options_summary(mapping.options)}});
}

Status MappingTable::open_tcp(Mapping& mapping, const PublicPlace& place) {
    // Which member of a group takes the visitor is decided once it is known who that is.
    auto listener = PublicListener::open(
        workers_, place, log_,
        [route = mapping.route, on_visitor = hooks_.on_visitor](net::Worker& worker, net::Accepted accepted) {
            on_visitor(worker, route->get(), std::move(accepted));
        });
    if (!listener) return pass(std::move(listener.error()));
    mapping.listener = std::move(*listener);
    return {};
}

Status MappingTable::open_udp(Mapping& mapping, const PublicPlace& place) {
    auto listener = hooks_.open_udp(place, mapping.route);
    if (!listener) return pass(std::move(listener.error()));
    mapping.udp_listener = std::move(*listener);
    return {};
}

bool MappingTable::may_stay(const Mapping& mapping) const {
    const auto& group = mapping.options.group.name;
    return check_endpoint(mapping.key, mapping.source, mapping.endpoint(), group).has_value() &&
           check_share(mapping.key, mapping.source, mapping.options).has_value();
}

Status MappingTable::check_endpoint(const MappingKey& key, wire::MappingSource source,
                                    const PublicEndpoint& endpoint, const std::string& group) const {
    for (const auto& [other_key, other] : mappings_) {
        if (!group.empty() && other.options.group.name == group) continue;
        const bool wants = overlap(other.options.endpoint, endpoint);
        const bool has = other.listens() && overlap(other.endpoint(), endpoint);
        if (other_key == key || !(wants || has) || (wants && other.refusal && !other.listens())) continue;
        const auto what =
            endpoint.is_unix()
                ? endpoint.path
                : fmt::format("port {}", std::max(endpoint.ports.first, other.endpoint().ports.first));
        return fail(Errc::conflict,
                    "{} is taken by the mapping \"{}\" of the client \"{}\": choose another {}", what,
                    other_key.name, other_key.client, endpoint.is_unix() ? "path" : "port");
    }
    return check_rules(rules_of(key.client), source, endpoint);
}

PublicPlace MappingTable::place_of(const PublicEndpoint& endpoint, Seconds keepalive) const {
    return {addresses_of(rules_, endpoint), endpoint.ports, endpoint.path, keepalive};
}

// The port it had before, then ones drawn from what is allowed.
std::vector<Port> MappingTable::candidates(const Mapping& mapping) const {
    constexpr int draws = 200;
    std::vector<Port> ports;
    if (mapping.port != 0) ports.push_back(mapping.port);
    if (const auto assigned = assigned_ports_.find(mapping.key); assigned != assigned_ports_.end())
        ports.push_back(assigned->second);
    std::uint64_t total = 0;
    const auto allowed = rules_of(mapping.key.client).allow_ports;
    for (const auto& range : allowed) total += range.last - range.first + 1U;
    for (int i = 0; total > 0 && i < draws; ++i) {
        auto at = random_u64() % total;
        for (const auto& range : allowed) {
            const std::uint64_t size = range.last - range.first + 1U;
            if (at < size) {
                ports.push_back(static_cast<Port>(range.first + at));
                break;
            }
            at -= size;
        }
    }
    return ports;
}

}  // namespace tunnel::server
