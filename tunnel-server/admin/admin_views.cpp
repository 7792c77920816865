#include "tunnel-server/admin/admin_views.hpp"

#include "common/mapping/spec.hpp"

namespace tunnel::server {

namespace {

// Visitors being served now, of the mappings that `mine` picks.
template <class Predicate>
std::uint32_t visitors_of(const MappingTable& mappings, Predicate mine) {
    std::uint32_t visitors = 0;
    for (const auto& [key, mapping] : mappings.all()) {
        if (mine(mapping)) visitors += mapping.counters->visitors + mapping.counters->datagrams.flows;
    }
    return visitors;
}

// "queue=12,unreachable=3"
std::string dropped_text(const DatagramCounters& counters) {
    std::vector<std::string> parts;
    for (std::size_t i = 0; i < datagram_drops; ++i) {
        if (const std::uint64_t count = counters.dropped[i]; count > 0)
            parts.push_back(fmt::format("{}={}", datagram_drop_names[i], count));
    }
    return fmt::format("{}", fmt::join(parts, ","));
}

std::string way_text(const DatagramCounters& counters) {
    const std::uint32_t ways = counters.ways;
    const std::uint32_t by_packets = counters.packet_ways;
    if (ways == 0) return {};
    if (by_packets == 0) return "stream";
    return by_packets >= ways ? "datagram" : "datagram and stream";
}

// Whoever shares the mapping's visitors.
void fill_members(proto::MappingInfo& out, const Mapping& mapping) {
    if (mapping.members.empty()) return;
    const auto now = Clock::now();
    for (const auto& route : mapping.route->set()->routes()) {
        if (!route->member) continue;
        const auto& member = *route->member;
        auto& info = *out.add_members();
        info.set_client(route->mapping.client);
        info.set_mapping(route->mapping.name);
        info.set_service(route->service);
        info.set_state(std::string(to_string(member.state(now))));
        info.set_reason(member.reason(now));
        info.set_visitors(member.visitors());
        info.set_weight(member.options().weight);
        info.set_backup(member.options().backup);
    }
}

}  // namespace

std::int64_t unix_seconds(WallTime time) {
    return std::chrono::duration_cast<Seconds>(time.time_since_epoch()).count();
}

void fill(proto::MappingInfo& out, const Mapping& mapping, const MappingTable& table,
          const std::vector<net::RelaySnapshot>& relays) {
    out.set_name(mapping.key.name);
    out.set_client(mapping.key.client);
    out.set_source(mapping.source == wire::MappingSource::admin ? "admin" : "client");
    out.set_protocol(std::string(mapping.options.endpoint.kind()));
    out.set_port(mapping.port);
    out.set_public_address(table.public_address(mapping));
    if (mapping.problem.empty()) out.set_service(to_string(mapping.options.service));
    out.set_encrypt(mapping.options.encrypt);
    wire::fill(*out.mutable_spec(), to_spec(mapping.options));
    out.set_state(std::string(to_string(mapping.state)));
    out.set_last_error(mapping.last_error);
    out.set_last_error_at(unix_seconds(mapping.last_error_at));
    std::uint64_t bytes_in = mapping.counters->bytes_in;
    std::uint64_t bytes_out = mapping.counters->bytes_out;
    for (const auto& relay : relays) {
        if (relay.label.client != mapping.key.client || relay.label.mapping != mapping.key.name) continue;
        bytes_in += relay.bytes_in;
        bytes_out += relay.bytes_out;
    }
    const auto& datagrams = mapping.counters->datagrams;
    out.set_visitors(mapping.counters->visitors + datagrams.flows);
    out.set_visitors_total(mapping.counters->visitors_total + datagrams.flows_total);
    out.set_bytes_in(bytes_in + datagrams.bytes_in);
    out.set_bytes_out(bytes_out + datagrams.bytes_out);
    out.set_datagrams_in(datagrams.datagrams_in);
    out.set_datagrams_out(datagrams.datagrams_out);
    out.set_datagrams_dropped(dropped_text(datagrams));
    out.set_datagrams_by(way_text(datagrams));
    out.set_refused_total(mapping.counters->refused_total);
    for (std::size_t kind = 0; kind < refusal_kinds; ++kind) {
        const auto reason = static_cast<Refusal>(kind);
        const auto count = mapping.counters->refusals.of(reason);
        if (count == 0) continue;
        auto& refusal = *out.add_refusals();
        refusal.set_reason(std::string(to_string(reason)));
        refusal.set_count(count);
    }
    fill_members(out, mapping);
}

void fill(proto::ClientInfo& out, const std::string& name, const ClientBook::Client& client,
          const SessionTable& sessions, const MappingTable& mappings, const ClientAccess& access,
          WallTime now) {
    const auto presence = sessions.presence(name);
    out.set_name(name);
    if (client.disabled)
        out.set_state("disabled");
    else if (client.expires_at && *client.expires_at <= now)
        out.set_state("expired");
    else if (presence)
        out.set_state(*presence == Presence::connected ? "connected" : "away");
    else
        out.set_state("offline");
    for (const auto* session : sessions.sessions()) {
        if (session->seat().client == name) out.set_address(session->address());
    }
    out.set_created_at(unix_seconds(client.created_at));
    if (client.expires_at) out.set_expires_at(unix_seconds(*client.expires_at));
    if (client.last_seen_at) out.set_last_seen_at(unix_seconds(*client.last_seen_at));
    out.set_mappings(static_cast<std::uint32_t>(mappings.count_of(name)));
    out.set_visitors(
        visitors_of(mappings, [&](const Mapping& mapping) { return mapping.key.client == name; }));
    for (const auto& [setting, values] : given_settings(access.settings(name))) {
        auto& given = *out.add_settings();
        given.set_name(setting);
        for (const auto& value : values) given.add_values(value);
    }
    const auto use = access.use(name, now);
    out.set_traffic(use.bytes);
    out.set_traffic_month(month_name(use.month));
}

void fill(proto::SessionInfo& out, const Session& session, const MappingTable& mappings) {
    const auto mine = [&](const Mapping& mapping) {
        return SeatKey{mapping.key.client, mapping.slot} == session.seat();
    };
    std::uint32_t count = 0;
    for (const auto& [key, mapping] : mappings.all()) count += mine(mapping) ? 1 : 0;
    out.set_client(session.seat().client);
    out.set_slot(session.seat().slot);
    out.set_address(session.address());
    out.set_way(std::string(to_string(session.way())));
    out.set_software(session.software());
    out.set_since(unix_seconds(session.since()));
    out.set_mappings(count);
    out.set_visitors(visitors_of(mappings, mine));
    if (session.logged_in()) out.set_cipher(std::string(to_string(session.tickets()->cipher())));
    if (const auto round_trip = session.round_trip())
        out.set_round_trip_us(static_cast<std::uint32_t>(std::max<std::int64_t>(1, round_trip->count())));
}

void fill(proto::ConnectionInfo& out, const net::RelaySnapshot& relay) {
    out.set_id(relay.label.id.value);
    out.set_mapping(relay.label.mapping);
    out.set_client(relay.label.client);
    out.set_visitor(relay.label.visitor);
    out.set_since(unix_seconds(relay.label.since));
    out.set_bytes_in(relay.bytes_in);
    out.set_bytes_out(relay.bytes_out);
    out.set_encrypt(relay.label.encrypt);
    out.set_service(relay.label.service);
}

}  // namespace tunnel::server
