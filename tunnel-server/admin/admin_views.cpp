#include "tunnel-server/admin/admin_views.hpp"

namespace tunnel::server {

namespace {

// Visitors being served now, of the mappings that `mine` picks.
template <class Predicate>
std::uint32_t visitors_of(const MappingTable& mappings, Predicate mine) {
    std::uint32_t visitors = 0;
    for (const auto& [key, mapping] : mappings.all()) {
        if (mine(mapping)) visitors += mapping.counters->visitors;
    }
    return visitors;
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
    out.set_protocol("tcp");
    out.set_port(mapping.port);
    if (mapping.port != 0) out.set_public_address(table.public_address(mapping.port));
    out.set_service(mapping.service);
    out.set_encrypt(mapping.encrypt);
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
    out.set_visitors(mapping.counters->visitors);
    out.set_visitors_total(mapping.counters->visitors_total);
    out.set_bytes_in(bytes_in);
    out.set_bytes_out(bytes_out);
    out.set_refused_total(mapping.counters->refused_total);
}

void fill(proto::ClientInfo& out, const std::string& name, const ClientBook::Client& client,
          const SessionTable& sessions, const MappingTable& mappings, WallTime now) {
    const auto presence = sessions.presence(name);
    out.set_name(name);
    if (client.expires_at && *client.expires_at <= now)
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
}

}  // namespace tunnel::server
