#include "tunnel-server/clients/client_book.hpp"

#include "common/tls/login_proof.hpp"

namespace tunnel::server {

ClientBook::ClientBook(const std::vector<StoredClient>& clients) {
    fill_random(decoy_);
    for (const auto& client : clients) add(client);
}

void ClientBook::add(const StoredClient& client) {
    clients_[client.name] = {client.stored_key, client.created_at, client.expires_at, std::nullopt,
                             client.settings.disabled};
}

void ClientBook::set_key(const std::string& name, const StoredKey& key) {
    if (const auto found = clients_.find(name); found != clients_.end()) found->second.stored_key = key;
}

void ClientBook::set_access(const std::string& name, std::optional<WallTime> expires_at, bool disabled) {
    const auto found = clients_.find(name);
    if (found == clients_.end()) return;
    found->second.expires_at = expires_at;
    found->second.disabled = disabled;
}

const ClientBook::Client* ClientBook::find(const std::string& name) const {
    const auto found = clients_.find(name);
    return found == clients_.end() ? nullptr : &found->second;
}

bool ClientBook::may_stay(const std::string& name, WallTime now) const {
    const auto* client = find(name);
    return client != nullptr && !client->disabled && (!client->expires_at || *client->expires_at > now);
}

void ClientBook::note_seen(const std::string& name, WallTime now) {
    if (const auto found = clients_.find(name); found != clients_.end()) found->second.last_seen_at = now;
}

Status ClientBook::check_login(const std::string& name, BytesView proof, const Secret& binding, WallTime now,
                               std::string& reason_for_log) const {
    const auto* client = find(name);
    const bool right = tls::check_proof(client != nullptr ? client->stored_key : decoy_, proof, binding);
    if (client == nullptr || !right) {
        reason_for_log = client == nullptr ? "unknown client" : "wrong secret";
        return fail(
            Errc::unauthenticated,
            "the server does not accept this join link: there is no client of that name, or its secret was "
            "changed. Ask "
            "the server's admin for a new link (tunnelctl client add NAME, or tunnelctl client rotate NAME)");
    }
    if (client->disabled) {
        reason_for_log = "disabled";
        return fail(
            Errc::unavailable,
            "the client \"{}\" is disabled for now: ask the server's admin to enable it (tunnelctl client "
            "set {} --enable)",
            name, name);
    }
    if (client->expires_at && *client->expires_at <= now) {
        reason_for_log = "expired";
        return fail(Errc::expired,
                    "the client \"{}\" expired on {}: ask the server's admin for more time (tunnelctl "
                    "client set {} --expires 30d)",
                    name, format_utc(*client->expires_at), name);
    }
    return {};
}

}  // namespace tunnel::server
