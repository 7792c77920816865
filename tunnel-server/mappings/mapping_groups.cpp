// Groups: mappings with several services, and mappings of one or several clients that share a public endpoint
// and its visitors. The rest of MappingTable is in mapping_table.cpp.

#include <algorithm>
#include <iterator>

#include "tunnel-server/mappings/mapping_table.hpp"

namespace tunnel::server {

namespace {

std::string list_of(const Balancer::Members& members, const std::vector<MemberService>& services) {
    std::vector<std::string> texts;
    for (std::size_t i = 0; i < members.size(); ++i) texts.push_back(to_string(services[i].service));
    return fmt::format("{}", fmt::join(texts, ", "));
}

}  // namespace

// Mappings of one group have one cell, so that their listener and their visitors find all of them. A listener
// goes on with its cell: only who joins others, or leaves them, opens another.
void MappingTable::place_in_group(Mapping& mapping) {
    const auto& name = mapping.options.group.name;
    const auto known = groups_.find(name);
    const auto cell = known != groups_.end() ? known->second.lock() : nullptr;
    const bool is_placed = name.empty() ? !mapping.in_group : mapping.in_group && mapping.route == cell;
    if (is_placed) return;
    const auto before = mapping.route;
    std::erase_if(groups_, [](const auto& entry) { return entry.second.expired(); });
    if (!is_shared(mapping)) {
        std::erase_if(groups_, [&](const auto& entry) { return entry.second.lock() == before; });
        if (!name.empty() && cell) mapping.route = cell;
    } else {
        mapping.route = !name.empty() && cell ? cell : std::make_shared<RouteCell>();
    }
    mapping.in_group = !name.empty();
    if (mapping.in_group) groups_[name] = mapping.route;
    if (mapping.route == before) return;
    mapping.stop_listening();
    renew_group(before);
}

bool MappingTable::is_shared(const Mapping& mapping) const {
    return mapping.in_group && std::any_of(mappings_.begin(), mappings_.end(), [&](const auto& entry) {
               return &entry.second != &mapping && entry.second.route == mapping.route;
           });
}

// Somebody came to it or left it.
void MappingTable::renew_group(const std::shared_ptr<RouteCell>& cell) {
    const auto found = std::find_if(mappings_.begin(), mappings_.end(),
                                    [&](const auto& entry) { return entry.second.route == cell; });
    if (found != mappings_.end()) renew_routes(found->second);
}

void MappingTable::renew_members(Mapping& mapping, Presence presence) {
    const auto before = std::exchange(mapping.members, {});
    if (!is_group(mapping.options)) return;
    for (const auto& service : services_of(mapping.options)) {
        const auto text = to_string(service.service);
        MemberOptions options{to_string(mapping.key) + "/" + text, service.weight, service.backup};
        const auto known = std::find_if(before.begin(), before.end(), [&](const auto& member) {
            return member->options().name == options.name;
        });
        if (known == before.end())
            mapping.members.push_back(std::make_shared<Member>(std::move(options)));
        else if ((*known)->options() == options)
            mapping.members.push_back(*known);
        else
            mapping.members.push_back(std::make_shared<Member>(std::move(options), **known));
        auto& member = *mapping.members.back();
        member.set_present(presence == Presence::connected);
        member.set_draining(drained_.contains({mapping.key, text}));
        // Nobody checks it any more, so nothing is known against it.
        if (mapping.options.group.check.kind == HealthCheck::Kind::none) (void)member.set_healthy(true, "");
    }
}

Routes MappingTable::routes_of(const Mapping& mapping) const {
    const auto& client = mapping.key.client;
    const Route alone{mapping.key,        {client, mapping.slot},
                      mapping.options,    to_string(mapping.options.service),
                      mapping.counters,   {mapping.gate, access_.clients.gate(client)},
                      mapping.bandwidths, access_.clients.bandwidths(client),
                      mapping.proxies};
    if (mapping.members.empty()) return {std::make_shared<const Route>(alone)};
    const auto services = services_of(mapping.options);
    Routes routes;
    for (std::size_t i = 0; i < mapping.members.size(); ++i) {
        auto route = alone;
        route.service = to_string(services[i].service);
        route.member = mapping.members[i];
        route.group = mapping.route;
        routes.push_back(std::make_shared<const Route>(std::move(route)));
    }
    return routes;
}

// Of a mapping that has not changed: the very same, whose datagrams have ways that are open.
Routes MappingTable::routes_in_force(const Mapping& mapping) const {
    Routes routes;
    if (const auto set = mapping.route->set()) {
        std::copy_if(set->routes().begin(), set->routes().end(), std::back_inserter(routes),
                     [&](const auto& route) { return route->counters == mapping.counters; });
    }
    return routes.empty() ? routes_of(mapping) : routes;
}

// Only those who listen take part: the others are paused, refused, or their clients are gone.
void MappingTable::renew_routes(const Mapping& mapping) {
    Routes routes;
    auto balance = mapping.options.group.balance;
    if (mapping.in_group) {
        for (const auto& [key, other] : mappings_) {
            if (other.route != mapping.route || !other.listens()) continue;
            if (routes.empty()) balance = other.options.group.balance;
            const auto more = &other == &mapping ? routes_of(other) : routes_in_force(other);
            routes.insert(routes.end(), more.begin(), more.end());
        }
    }
    if (routes.empty()) routes = routes_of(mapping);
    mapping.route->set(std::move(routes), balance);
}

const Mapping* MappingTable::listening_in_group(const std::string& group) const {
    if (group.empty()) return nullptr;
    const auto found = std::find_if(mappings_.begin(), mappings_.end(), [&](const auto& entry) {
        return entry.second.options.group.name == group && entry.second.listens();
    });
    return found == mappings_.end() ? nullptr : &found->second;
}

// Two clients share an endpoint only when the admin wants it: who made the mapping, or allowed the group.
Status MappingTable::check_share(const MappingKey& key, wire::MappingSource source,
                                 const MappingOptions& options) const {
    const auto& group = options.group.name;
    if (group.empty()) return {};
    const auto may = [&](const std::string& client, wire::MappingSource made_by) {
        return made_by == wire::MappingSource::admin || access_.clients.settings(client).shares_group(group);
    };
    for (const auto& [other_key, other] : mappings_) {
        if (other_key == key || other.options.group.name != group) continue;
        if (other.refusal && !other.listens()) continue;
        if (other.options.endpoint != options.endpoint)
            return fail(Errc::conflict,
                        "the group \"{}\" has the public endpoint of the mapping \"{}\" of the client \"{}\" "
                        "({} {}): name the same one, or another group",
                        group, other_key.name, other_key.client, other.options.endpoint.kind(),
                        other.options.endpoint.is_unix() ? other.options.endpoint.path
                                                         : ports_to_string(other.options.endpoint));
        if (other_key.client == key.client) continue;
        const auto lacks = !may(key.client, source)               ? key.client
                           : !may(other_key.client, other.source) ? other_key.client
                                                                  : std::string();
        if (!lacks.empty())
            // What somebody else may not can change without a word from this client.
            return fail(
                lacks == key.client ? Errc::not_allowed : Errc::conflict,
                "the group \"{}\" has a mapping of the client \"{}\", and the client \"{}\" may not share "
                "it: choose another group, or have the server's admin allow it (tunnelctl client set {} "
                "--groups {})",
                group, other_key.client, lacks, lacks, group);
    }
    return {};
}

void MappingTable::note_health(const SeatKey& seat, const wire::HealthReport& report) {
    const auto found = mappings_.find({seat.client, report.mapping});
    if (found == mappings_.end() || found->second.slot != seat.slot) return;
    const auto& mapping = found->second;
    if (mapping.options.group.check.kind == HealthCheck::Kind::none) return;
    const auto services = services_of(mapping.options);
    for (std::size_t i = 0; i < mapping.members.size(); ++i) {
        if (to_string(services[i].service) != report.service) continue;
        if (!mapping.members[i]->set_healthy(report.up, report.reason)) return;
        log_.info(report.up ? "member up" : "member down", {{"mapping", report.mapping},
                                                            {"client", seat.client},
                                                            {"service", report.service},
                                                            {"reason", report.reason}});
        if (!report.up) note_error(found->first, report.reason);
    }
}

Status MappingTable::check_member(const MappingKey& key, const std::string& service) const {
    const auto* mapping = get(key);
    if (mapping == nullptr || mapping->members.empty())
        return fail(
            Errc::invalid,
            "the mapping \"{}\" has one service and no group: hold it back with tunnelctl mapping pause "
            "{}",
            key.name, to_string(key));
    const auto services = services_of(mapping->options);
    const bool has = std::any_of(services.begin(), services.end(),
                                 [&](const MemberService& one) { return to_string(one.service) == service; });
    if (has) return {};
    return fail(Errc::not_found, "the mapping \"{}\" has no member \"{}\": it has {}", key.name, service,
                list_of(mapping->members, services));
}

void MappingTable::set_drained(const MappingKey& key, const std::string& service, bool drained) {
    if (drained)
        drained_.insert({key, service});
    else
        drained_.erase({key, service});
    const auto found = mappings_.find(key);
    if (found != mappings_.end()) refresh(found->second);
}

}  // namespace tunnel::server
