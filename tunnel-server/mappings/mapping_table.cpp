#include "tunnel-server/mappings/mapping_table.hpp"

#include <algorithm>
#include <set>

#include "common/config/mapping_options.hpp"
#include "common/core/secret.hpp"

namespace tunnel::server {

namespace {

SeatKey seat_of(const Mapping& mapping) {
    return {mapping.key.client, mapping.slot};
}

Status check_spec(const wire::MappingSpec& spec) {
    auto service = parse_host_port(spec.service);
    if (!service) return pass(std::move(service.error()));
    return config::check_mapping({spec.name, spec.tcp, *service, spec.encrypt});
}

}  // namespace

std::string_view to_string(MappingState state) {
    switch (state) {
        case MappingState::listening:
            return "listening";
        case MappingState::waiting:
            return "waiting";
        case MappingState::offline:
            return "offline";
        case MappingState::paused:
            return "paused";
        case MappingState::refused:
            return "refused";
    }
    return "offline";
}

MappingTable::MappingTable(net::WorkerPool& workers, Log log, Rules rules, Hooks hooks)
    : workers_(workers), log_(std::move(log)), rules_(std::move(rules)), hooks_(std::move(hooks)) {}

void MappingTable::load(const StoreSnapshot& snapshot) {
    for (const auto& port : snapshot.assigned_ports) assigned_ports_[{port.client, port.mapping}] = port.port;
    for (const auto& pause : snapshot.paused) paused_[{pause.client, pause.mapping}] = true;
    for (const auto& mapping : snapshot.mappings) add(mapping);
}

void MappingTable::set_rules(Rules rules) {
    rules_ = std::move(rules);
    // The public host stands in what clients are told.
    for (const auto& [seat, presence] : presence_) hooks_.on_change(seat);
    for (auto& [key, mapping] : mappings_) {
        // An admin's mapping is refused by its client's rules, which are none of these.
        if (mapping.source == wire::MappingSource::admin) continue;
        const bool may_stay = !mapping.listener || check_port(key, mapping.source, mapping.port).has_value();
        if (may_stay && !mapping.refusal) continue;
        // Opened anew it is refused, or gets another port when the server may choose one.
        if (!may_stay) mapping.listener.reset();
        mapping.refusal.reset();
        refresh(mapping);
        hooks_.on_change(seat_of(mapping));
    }
}

Status MappingTable::check_new(const StoredMapping& mapping) const {
    const MappingKey key{mapping.client, mapping.name};
    if (const auto* existing = get(key)) {
        return fail(
            Errc::exists,
            "the client \"{}\" has a mapping \"{}\" already ({}): choose another name, or remove that one "
            "first",
            key.client, key.name,
            existing->source == wire::MappingSource::admin ? "added here" : "declared in its own config");
    }
    if (mapping.tcp == 0) return {};
    if (auto ok = check_port(key, wire::MappingSource::admin, mapping.tcp); !ok) return ok;
    return PublicListener::probe(rules_.bind, mapping.tcp);
}

const Mapping& MappingTable::add(const StoredMapping& stored) {
    Mapping mapping;
    mapping.key = {stored.client, stored.name};
    mapping.source = wire::MappingSource::admin;
    mapping.wanted_port = stored.tcp;
    mapping.service = stored.service;
    mapping.encrypt = stored.encrypt;
    mapping.created_at = stored.created_at;
    mapping.paused = paused_.contains(mapping.key);
    mapping.port = stored.tcp;
    if (const auto assigned = assigned_ports_.find(mapping.key);
        stored.tcp == 0 && assigned != assigned_ports_.end())
        mapping.port = assigned->second;
    auto& placed = mappings_.insert_or_assign(mapping.key, std::move(mapping)).first->second;
    refresh(placed);
    hooks_.on_change(seat_of(placed));
    return placed;
}

void MappingTable::remove(const MappingKey& key) {
    const auto found = mappings_.find(key);
    if (found == mappings_.end()) return;
    assigned_ports_.erase(key);
    paused_.erase(key);
    forget(found);
}

void MappingTable::forget(std::map<MappingKey, Mapping>::iterator at) {
    const auto key = at->first;
    const auto seat = seat_of(at->second);
    mappings_.erase(at);
    hooks_.on_removed(key);
    hooks_.on_change(seat);
}

void MappingTable::set_paused(const MappingKey& key, bool paused) {
    if (paused)
        paused_[key] = true;
    else
        paused_.erase(key);
    const auto found = mappings_.find(key);
    if (found == mappings_.end()) return;
    found->second.paused = paused;
    refresh(found->second);
    hooks_.on_change(seat_of(found->second));
}

void MappingTable::remove_client(const std::string& client) {
    std::vector<MappingKey> keys;
    for (const auto& [key, mapping] : mappings_) {
        if (key.client == client) keys.push_back(key);
    }
    for (const auto& key : keys) remove(key);
    std::erase_if(assigned_ports_, [&](const auto& entry) { return entry.first.client == client; });
    std::erase_if(paused_, [&](const auto& entry) { return entry.first.client == client; });
}

void MappingTable::declare(const SeatKey& seat, const std::vector<wire::MappingSpec>& specs) {
    std::set<std::string> wanted;
    for (const auto& spec : specs) wanted.insert(spec.name);
    std::vector<MappingKey> dropped;
    for (auto& [key, mapping] : mappings_) {
        if (seat_of(mapping) != seat) continue;
        if (mapping.source == wire::MappingSource::client && !wanted.contains(key.name))
            dropped.push_back(key);
        // The client's rules may have changed with its config: let it judge the admin's mappings again.
        if (mapping.source == wire::MappingSource::admin && mapping.refusal) {
            mapping.refusal.reset();
            refresh(mapping);
        }
    }
    for (const auto& key : dropped) forget(mappings_.find(key));
    auto& rejected = rejected_[seat];
    rejected.clear();
    for (const auto& spec : specs) {
        if (auto ok = take_spec(seat, spec); !ok) {
            log_.warn("mapping refused",
                      {{"mapping", spec.name}, {"client", seat.client}, {"reason", ok.error().message}});
            rejected.push_back({spec.name, wire::MappingSource::client, spec.service, spec.tcp, "",
                                spec.encrypt, "refused", std::string(to_string(ok.error().code)),
                                ok.error().message});
        }
    }
    hooks_.on_change(seat);
}

// Errors only when the mapping cannot stand in the table at all; one that cannot listen stands there as
// refused.
Status MappingTable::take_spec(const SeatKey& seat, const wire::MappingSpec& spec) {
    if (auto ok = check_spec(spec); !ok) return ok;
    const MappingKey key{seat.client, spec.name};
    const auto found = mappings_.find(key);
    if (found == mappings_.end()) {
        Mapping mapping;
        mapping.key = key;
        mapping.source = wire::MappingSource::client;
        mapping.slot = seat.slot;
        mapping.created_at = std::chrono::system_clock::now();
        mapping.paused = paused_.contains(key);
        apply_spec(mappings_.emplace(key, std::move(mapping)).first->second, spec);
        return {};
    }
    auto& existing = found->second;
    if (existing.source == wire::MappingSource::admin)
        return fail(Errc::conflict,
                    "the server's admin has added a mapping \"{}\" for this client: give yours another name, "
                    "or have that one "
                    "removed (tunnelctl mapping remove {})",
                    spec.name, to_string(key));
    if (existing.slot != seat.slot) {
        if (presence_of(seat_of(existing)) == Presence::connected)
            return fail(Errc::conflict,
                        "another session of this client exposes \"{}\" already: choose another --name",
                        spec.name);
        existing.slot = seat.slot;
    }
    apply_spec(existing, spec);
    return {};
}

void MappingTable::apply_spec(Mapping& mapping, const wire::MappingSpec& spec) {
    // A port the client asked for and one the server chose are different wishes, even if the number is the
    // same.
    if (mapping.wanted_port != spec.tcp) mapping.listener.reset();
    mapping.wanted_port = spec.tcp;
    mapping.service = spec.service;
    mapping.encrypt = spec.encrypt;
    if (!mapping.listener) mapping.port = spec.tcp != 0 ? spec.tcp : spec.preferred_port;
    mapping.refusal.reset();
    refresh(mapping);
}

void MappingTable::set_presence(const SeatKey& seat, Presence presence) {
    if (presence == Presence::gone) {
        presence_.erase(seat);
        rejected_.erase(seat);
    } else {
        presence_[seat] = presence;
    }
    for (auto it = mappings_.begin(); it != mappings_.end();) {
        auto& mapping = it->second;
        const auto here = it++;
        if (seat_of(mapping) != seat) continue;
        // What a client declares lives as long as its session; its running visitors go on.
        if (presence == Presence::gone && mapping.source == wire::MappingSource::client)
            mappings_.erase(here);
        else
            refresh(mapping);
    }
}

void MappingTable::object(const MappingKey& key, const std::string& reason) {
    const auto found = mappings_.find(key);
    if (found == mappings_.end() || found->second.source != wire::MappingSource::admin) return;
    found->second.refusal = Error{Errc::not_allowed, reason, 0};
    note_error(key, reason);
    refresh(found->second);
    hooks_.on_change(seat_of(found->second));
}

void MappingTable::note_error(const MappingKey& key, const std::string& reason) {
    const auto found = mappings_.find(key);
    if (found == mappings_.end()) return;
    found->second.last_error = reason;
    found->second.last_error_at = std::chrono::system_clock::now();
}

void MappingTable::retry_refused() {
    for (auto& [key, mapping] : mappings_) {
        if (!mapping.refusal || mapping.refusal->code == Errc::not_allowed || mapping.listener) continue;
        mapping.refusal.reset();
        refresh(mapping);
        if (mapping.listener) hooks_.on_change(seat_of(mapping));
    }
}

Presence MappingTable::presence_of(const SeatKey& seat) const {
    const auto found = presence_.find(seat);
    return found == presence_.end() ? Presence::gone : found->second;
}

void MappingTable::refresh(Mapping& mapping) {
    mapping.route->set({mapping.key, seat_of(mapping), mapping.service, mapping.encrypt, mapping.counters});
    const auto presence = presence_of(seat_of(mapping));
    const bool wanted = !closed_ && !mapping.paused && !mapping.refusal && presence != Presence::gone;
    if (!wanted) mapping.listener.reset();
    if (wanted && !mapping.listener) {
        if (auto ok = open(mapping); !ok) {
            // Told once, not at every retry.
            if (mapping.last_error != ok.error().message)
                log_.warn("mapping refused", {{"mapping", mapping.key.name},
                                              {"client", mapping.key.client},
                                              {"reason", ok.error().message}});
            note_error(mapping.key, ok.error().message);
            mapping.refusal = std::move(ok.error());
        }
    }
    if (mapping.paused)
        mapping.state = MappingState::paused;
    else if (mapping.refusal)
        mapping.state = MappingState::refused;
    else if (presence == Presence::connected)
        mapping.state = MappingState::listening;
    else
        mapping.state = presence == Presence::away ? MappingState::waiting : MappingState::offline;
}

Status MappingTable::open(Mapping& mapping) {
    if (mapping.wanted_port != 0) {
        if (auto ok = check_port(mapping.key, mapping.source, mapping.wanted_port); !ok) return ok;
        return open_on(mapping, mapping.wanted_port);
    }
    for (const Port port : candidates(mapping)) {
        if (!check_port(mapping.key, wire::MappingSource::client, port) || !open_on(mapping, port)) continue;
        auto& assigned = assigned_ports_[mapping.key];
        if (assigned != port) {
            assigned = port;
            hooks_.on_port_chosen(mapping.key, port);
        }
        return {};
    }
    return fail(Errc::limit,
                "no free public port was found among those that the server's allow_ports permits");
}

Status MappingTable::open_on(Mapping& mapping, Port port) {
    auto listener = PublicListener::open(
        workers_, rules_.bind, port, log_,
        [route = mapping.route, on_visitor = hooks_.on_visitor](net::Worker& worker, net::Accepted accepted) {
            on_visitor(worker, route->get(), std::move(accepted));
        });
    if (!listener) return pass(std::move(listener.error()));
    mapping.listener = std::move(*listener);
    mapping.port = port;
    log_.info("mapping listening", {{"mapping", mapping.key.name},
                                    {"client", mapping.key.client},
                                    {"public", public_address(port)},
                                    {"service", mapping.service},
                                    {"encrypt", mapping.encrypt}});
    return {};
}

Status MappingTable::check_port(const MappingKey& key, wire::MappingSource source, Port port) const {
    if (rules_.is_tunnel_port(port))
        return fail(Errc::conflict, "port {} is the server's own tunnel port: choose another public port",
                    port);
    for (const auto& [other_key, other] : mappings_) {
        const bool holds = other.wanted_port == port || (other.listener && other.port == port);
        if (other_key != key && holds && !(other.wanted_port == port && other.refusal && !other.listener))
            return fail(Errc::conflict,
                        "port {} is taken by the mapping \"{}\" of the client \"{}\": choose another port",
                        port, other_key.name, other_key.client);
    }
    const bool allowed = std::any_of(rules_.allow_ports.begin(), rules_.allow_ports.end(),
                                     [port](const PortRange& range) { return range.contains(port); });
    if (source == wire::MappingSource::client && !allowed) {
        std::vector<std::string> ranges;
        for (const auto& range : rules_.allow_ports) ranges.push_back(tunnel::to_string(range));
        return fail(Errc::not_allowed,
                    "port {} is not among the ports that the server lets clients take ({}): choose one of "
                    "those, or have the "
                    "server's admin change allow_ports or add the mapping with tunnelctl",
                    port, fmt::join(ranges, ", "));
    }
    return {};
}

// The port it had before, then ones drawn from what is allowed.
std::vector<Port> MappingTable::candidates(const Mapping& mapping) const {
    constexpr int draws = 200;
    std::vector<Port> ports;
    if (mapping.port != 0) ports.push_back(mapping.port);
    if (const auto assigned = assigned_ports_.find(mapping.key); assigned != assigned_ports_.end())
        ports.push_back(assigned->second);
    std::uint64_t total = 0;
    for (const auto& range : rules_.allow_ports) total += range.last - range.first + 1U;
    for (int i = 0; total > 0 && i < draws; ++i) {
        auto at = random_u64() % total;
        for (const auto& range : rules_.allow_ports) {
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

Result<MappingKey> MappingTable::find(const std::string& name, const std::string& client) const {
    std::vector<MappingKey> found;
    for (const auto& [key, mapping] : mappings_) {
        if (key.name == name && (client.empty() || key.client == client)) found.push_back(key);
    }
    if (found.size() == 1) return found.front();
    if (found.empty())
        return fail(Errc::not_found,
                    "there is no mapping \"{}\"{}: tunnelctl mapping list shows those there are", name,
                    client.empty() ? "" : fmt::format(" of the client \"{}\"", client));
    std::vector<std::string> names;
    for (const auto& key : found) names.push_back(to_string(key));
    return fail(Errc::conflict, "several clients have a mapping \"{}\": say which one, {}", name,
                fmt::join(names, " or "));
}

const Mapping* MappingTable::get(const MappingKey& key) const {
    const auto found = mappings_.find(key);
    return found == mappings_.end() ? nullptr : &found->second;
}

std::vector<wire::MappingState> MappingTable::states_for(const SeatKey& seat) const {
    std::vector<wire::MappingState> states;
    for (const auto& [key, mapping] : mappings_) {
        if (seat_of(mapping) != seat) continue;
        wire::MappingState state{
            key.name, mapping.source, mapping.service, mapping.port, "", mapping.encrypt, "", "", ""};
        state.state = mapping.state == MappingState::waiting ? "listening" : to_string(mapping.state);
        if (mapping.listener) state.public_address = public_address(mapping.port);
        if (mapping.refusal) {
            state.error_code = tunnel::to_string(mapping.refusal->code);
            state.error = mapping.refusal->message;
        }
        states.push_back(std::move(state));
    }
    if (const auto rejected = rejected_.find(seat); rejected != rejected_.end())
        states.insert(states.end(), rejected->second.begin(), rejected->second.end());
    return states;
}

std::string MappingTable::public_address(Port port) const {
    return tunnel::to_string(HostPort{rules_.public_host, port});
}

std::size_t MappingTable::count_of(const std::string& client) const {
    return static_cast<std::size_t>(std::count_if(
        mappings_.begin(), mappings_.end(), [&](const auto& entry) { return entry.first.client == client; }));
}

void MappingTable::close_all() {
    closed_ = true;
    for (auto& [key, mapping] : mappings_) refresh(mapping);
}

}  // namespace tunnel::server
