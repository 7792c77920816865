#include "tunnel-server/mappings/mapping_table.hpp"

#include <algorithm>
#include <set>

#include "common/mapping/option_table.hpp"
#include "common/mapping/spec.hpp"
#include "tunnel-server/udp/udp_plane.hpp"

namespace tunnel::server {

namespace {

SeatKey seat_of(const Mapping& mapping) {
    return {mapping.key.client, mapping.slot};
}

// Bytes of one list of states, so that it stays within what a client takes.
constexpr std::size_t most_told_of_groups = 1024 * 1024;

// Which services the client serves, and how it checks them.
void tell_group(const Mapping& mapping, std::size_t& room, wire::MappingState& state) {
    if (mapping.members.empty()) return;
    constexpr std::size_t overhead = 40;
    for (const auto& service : services_of(mapping.options)) {
        auto text = to_string(service.service);
        room -= std::min(room, text.size() + overhead);
        state.services.push_back(std::move(text));
    }
    if (mapping.options.group.check.kind != HealthCheck::Kind::none)
        state.checks = check_options(mapping.options);
    for (const auto& option : state.checks)
        room -= std::min(room, option.name.size() + option.value.size() + overhead);
    if (room > 0) return;
    state.services.clear();
    state.checks.clear();
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

MappingTable::MappingTable(net::WorkerPool& workers, Log log, Rules rules, Access access, Hooks hooks)
    : workers_(workers),
      log_(std::move(log)),
      rules_(std::move(rules)),
      access_(access),
      hooks_(std::move(hooks)) {}

void MappingTable::load(const StoreSnapshot& snapshot) {
    for (const auto& port : snapshot.assigned_ports) assigned_ports_[{port.client, port.mapping}] = port.port;
    for (const auto& pause : snapshot.paused) paused_[{pause.client, pause.mapping}] = true;
    for (const auto& drain : snapshot.drained)
        drained_.insert({{drain.client, drain.mapping}, drain.service});
    for (const auto& mapping : snapshot.mappings) add(mapping);
}

void MappingTable::set_rules(Rules rules) {
    rules_ = std::move(rules);
    // The public host stands in what clients are told.
    for (const auto& [seat, presence] : presence_) hooks_.on_change(seat);
    for (auto& [key, mapping] : mappings_) {
        // An admin's mapping is refused by its client's rules, which are none of these.
        if (mapping.source == wire::MappingSource::admin) continue;
        const bool stays = !mapping.listens() || may_stay(mapping);
        if (stays && !mapping.refusal) continue;
        // Opened anew it is refused, or gets another port when the server may choose one.
        if (!stays) mapping.stop_listening();
        mapping.refusal.reset();
        refresh(mapping);
        hooks_.on_change(seat_of(mapping));
    }
}

Status MappingTable::check_new(const StoredMapping& mapping) const {
    const MappingKey key{mapping.client, mapping.options.name};
    if (const auto* existing = get(key)) {
        return fail(
            Errc::exists,
            "the client \"{}\" has a mapping \"{}\" already ({}): choose another name, or remove that one "
            "first",
            key.client, key.name,
            existing->source == wire::MappingSource::admin ? "added here" : "declared in its own config");
    }
    const auto& endpoint = mapping.options.endpoint;
    if (auto ok = make_access(mapping.options.visitors, access_.lists); !ok)
        return pass(std::move(ok.error()));
    const auto& group = mapping.options.group.name;
    if (auto ok = check_share(key, wire::MappingSource::admin, mapping.options); !ok) return ok;
    if (endpoint.port_is_chosen()) return {};
    if (auto ok = check_endpoint(key, wire::MappingSource::admin, endpoint, group); !ok) return ok;
    if (listening_in_group(group) != nullptr) return {};
    const auto place = place_of(endpoint, mapping.options.keepalive);
    return endpoint.protocol == Protocol::udp ? UdpPlane::probe(place) : PublicListener::probe(place);
}

const Mapping& MappingTable::add(const StoredMapping& stored) {
    Mapping mapping;
    mapping.key = {stored.client, stored.options.name};
    mapping.source = wire::MappingSource::admin;
    mapping.options = stored.options;
    mapping.problem = stored.problem;
    mapping.created_at = stored.created_at;
    mapping.paused = paused_.contains(mapping.key);
    mapping.port = stored.options.endpoint.ports.first;
    if (const auto assigned = assigned_ports_.find(mapping.key);
        stored.options.endpoint.port_is_chosen() && assigned != assigned_ports_.end())
        mapping.port = assigned->second;
    const auto key = mapping.key;
    auto& placed = mappings_.insert_or_assign(key, std::move(mapping)).first->second;
    refresh(placed);
    hooks_.on_change(seat_of(placed));
    return placed;
}

void MappingTable::remove(const MappingKey& key) {
    const auto found = mappings_.find(key);
    if (found == mappings_.end()) return;
    assigned_ports_.erase(key);
    paused_.erase(key);
    std::erase_if(drained_, [&](const auto& entry) { return entry.first == key; });
    forget(found);
}

void MappingTable::forget(std::map<MappingKey, Mapping>::iterator at) {
    const auto key = at->first;
    const auto seat = seat_of(at->second);
    erase(at);
    hooks_.on_removed(key);
    hooks_.on_change(seat);
}

void MappingTable::erase(std::map<MappingKey, Mapping>::iterator at) {
    const auto cell = at->second.route;
    mappings_.erase(at);
    renew_group(cell);
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
    std::erase_if(drained_, [&](const auto& entry) { return entry.first.client == client; });
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
    auto options = from_spec(spec);
    if (!options) return pass(std::move(options.error()));
    const MappingKey key{seat.client, spec.name};
    const auto found = mappings_.find(key);
    if (found == mappings_.end()) {
        Mapping mapping;
        mapping.key = key;
        mapping.source = wire::MappingSource::client;
        mapping.slot = seat.slot;
        mapping.created_at = std::chrono::system_clock::now();
        mapping.paused = paused_.contains(key);
        apply(mappings_.emplace(key, std::move(mapping)).first->second, std::move(*options),
              spec.preferred_port);
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
    apply(existing, std::move(*options), spec.preferred_port);
    return {};
}

void MappingTable::apply(Mapping& mapping, MappingOptions options, Port preferred_port) {
    // A port the client asked for and one the server chose are different wishes, even if the number is the
    // same.
    if (mapping.options.endpoint != options.endpoint) mapping.stop_listening();
    mapping.options = std::move(options);
    if (mapping.listener) mapping.listener->set_keepalive(mapping.options.keepalive);
    const auto& endpoint = mapping.options.endpoint;
    if (!mapping.listens()) mapping.port = endpoint.port_is_chosen() ? preferred_port : endpoint.ports.first;
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
            erase(here);
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
        if (!mapping.refusal || mapping.refusal->code == Errc::not_allowed || mapping.listens()) continue;
        mapping.refusal.reset();
        refresh(mapping);
        if (mapping.listens()) hooks_.on_change(seat_of(mapping));
    }
}

Presence MappingTable::presence_of(const SeatKey& seat) const {
    const auto found = presence_.find(seat);
    return found == presence_.end() ? Presence::gone : found->second;
}

void MappingTable::refuse(Mapping& mapping, Error reason) {
    // Told once, not at every retry.
    if (mapping.last_error != reason.message)
        log_.warn(
            "mapping refused",
            {{"mapping", mapping.key.name}, {"client", mapping.key.client}, {"reason", reason.message}});
    note_error(mapping.key, reason.message);
    mapping.refusal = std::move(reason);
}

void MappingTable::refresh(Mapping& mapping) {
    if (auto ok = renew_access(mapping); !ok && !mapping.refusal) refuse(mapping, std::move(ok.error()));
    const auto presence = presence_of(seat_of(mapping));
    place_in_group(mapping);
    renew_members(mapping, presence);
    // A listener that opens finds them; a group is told again when this mapping has come to it or left.
    renew_routes(mapping);
    const bool took_part = mapping.listens();
    const bool wanted = !closed_ && !mapping.paused && !mapping.refusal && presence != Presence::gone;
    if (!wanted) mapping.stop_listening();
    if (wanted && !mapping.listens()) {
        if (auto ok = open(mapping); !ok) refuse(mapping, std::move(ok.error()));
    }
    if (took_part != mapping.listens()) renew_routes(mapping);
    if (mapping.paused)
        mapping.state = MappingState::paused;
    else if (mapping.refusal)
        mapping.state = MappingState::refused;
    else if (presence == Presence::connected)
        mapping.state = MappingState::listening;
    else
        mapping.state = presence == Presence::away ? MappingState::waiting : MappingState::offline;
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
    std::size_t room = most_told_of_groups;
    for (const auto& [key, mapping] : mappings_) {
        if (seat_of(mapping) != seat) continue;
        const auto& options = mapping.options;
        wire::MappingState state{key.name,
                                 mapping.source,
                                 to_string(options.service),
                                 mapping.port,
                                 "",
                                 options.encrypt,
                                 "",
                                 "",
                                 "",
                                 std::string(options.endpoint.kind()),
                                 options_summary(options)};
        state.state = mapping.state == MappingState::waiting ? "listening" : to_string(mapping.state);
        if (mapping.listens()) state.public_address = public_address(mapping);
        if (mapping.refusal) {
            state.error_code = tunnel::to_string(mapping.refusal->code);
            state.error = mapping.refusal->message;
        }
        tell_group(mapping, room, state);
        states.push_back(std::move(state));
    }
    if (const auto rejected = rejected_.find(seat); rejected != rejected_.end())
        states.insert(states.end(), rejected->second.begin(), rejected->second.end());
    return states;
}

std::string MappingTable::public_address(const Mapping& mapping) const {
    const auto endpoint = mapping.endpoint();
    return endpoint.port_is_chosen() ? std::string() : server::public_address(rules_, endpoint);
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
