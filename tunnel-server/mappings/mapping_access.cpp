// Who may visit a mapping and what its client may have: the part of MappingTable that follows settings and
// lists as they change. The rest is in mapping_table.cpp.

#include <algorithm>
#include <utility>

#include "tunnel-server/mappings/mapping_table.hpp"

namespace tunnel::server {

namespace {

std::shared_ptr<const NetworkSet> set_of(const std::vector<Network>& networks) {
    return networks.empty() ? nullptr : std::make_shared<const NetworkSet>(networks);
}

}  // namespace

// Those of its own config that stand, but for this one.
std::size_t MappingTable::standing_of(const std::string& client, const MappingKey& except) const {
    return static_cast<std::size_t>(std::count_if(mappings_.begin(), mappings_.end(), [&](const auto& entry) {
        const auto& [key, mapping] = entry;
        return key.client == client && key != except && !mapping.refusal &&
               mapping.source == wire::MappingSource::client;
    }));
}

// The admin's own mappings are the admin's own decision.
Status MappingTable::check_client(const Mapping& mapping) const {
    if (mapping.source == wire::MappingSource::admin) return {};
    const auto& client = mapping.key.client;
    const auto& settings = access_.clients.settings(client);
    if (!settings.allows_name(mapping.key.name))
        return fail(
            Errc::not_allowed,
            "the client \"{}\" may not name a mapping \"{}\" (its names: {}): choose another name, or "
            "have the server's admin change that (tunnelctl client set {} --names ...)",
            client, mapping.key.name, fmt::join(settings.names, ", "), client);
    const auto kind = mapping.options.endpoint.kind();
    if (!settings.allows_kind(kind))
        return fail(
            Errc::not_allowed,
            "the client \"{}\" may not have {} mappings (its kinds: {}): have the server's admin change "
            "that (tunnelctl client set {} --kinds ...)",
            client, kind, fmt::join(settings.kinds, ", "), client);
    if (settings.max_mappings != 0 && standing_of(client, mapping.key) >= settings.max_mappings)
        return fail(Errc::limit,
                    "the client \"{}\" may have {} mapping{}: remove one first, or have the server's admin "
                    "change that (tunnelctl client set {} --max-mappings N)",
                    client, settings.max_mappings, settings.max_mappings == 1 ? "" : "s", client);
    return {};
}

EndpointRules MappingTable::rules_of(const std::string& client) const {
    auto rules = rules_;
    if (const auto& ports = access_.clients.settings(client).ports; !ports.empty()) rules.allow_ports = ports;
    return rules;
}

// Running visitors keep their places and learn new speeds; routes_of() takes what is new to the next ones.
Status MappingTable::renew_access(Mapping& mapping) {
    const auto& options = mapping.options;
    const auto& limits = options.visitors;
    const auto before = mapping.bandwidths;
    set_bandwidths(mapping.bandwidths, limits, false);
    if (before != mapping.bandwidths && hooks_.on_bandwidths)
        hooks_.on_bandwidths(mapping.key, mapping.bandwidths);
    mapping.proxies = set_of(options.accept_proxy_from);
    auto access = make_access(limits, access_.lists);
    if (access) mapping.gate.rules = make_rules(std::move(*access), limits, false, mapping.gate.rules);
    if (!access) return pass(std::move(access.error()));
    return check_client(mapping);
}

void MappingTable::client_changed(const std::string& client) {
    std::vector<Mapping*> declared;
    for (auto& [key, mapping] : mappings_) {
        if (key.client != client) continue;
        if (mapping.source == wire::MappingSource::admin)
            refresh(mapping);
        else
            declared.push_back(&mapping);
    }
    // Those that stand may stay as long as there is room; the last ones go first.
    std::stable_partition(declared.begin(), declared.end(),
                          [](const Mapping* mapping) { return mapping->refusal.has_value(); });
    std::reverse(declared.begin(), declared.end());
    const auto most = access_.clients.settings(client).max_mappings;
    for (auto* mapping : declared) {
        const bool over = most != 0 && !mapping->refusal && standing_of(client, mapping->key) >= most;
        const bool stays = !over && mapping->listens() && may_stay(*mapping);
        if (!stays) mapping->stop_listening();
        mapping->refusal.reset();
        refresh(*mapping);
        hooks_.on_change({client, mapping->slot});
    }
}

void MappingTable::lists_changed() {
    for (auto& [key, mapping] : mappings_) {
        if (!mapping.options.visitors.allow.empty() || !mapping.options.visitors.deny.empty())
            refresh(mapping);
    }
}

}  // namespace tunnel::server
