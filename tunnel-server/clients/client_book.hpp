#pragma once
// The clients that may log in, and the check of their proof. Control thread. Filled from the store at start;
// whoever changes the store changes this too, after the store has said yes.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/core/clock.hpp"
#include "common/core/result.hpp"
#include "common/core/secret.hpp"
#include "tunnel-server/store/store.hpp"

namespace tunnel::server {

class ClientBook {
  public:
    struct Client {
        StoredKey stored_key{};
        WallTime created_at{};
        std::optional<WallTime> expires_at;
        std::optional<WallTime> last_seen_at;
        bool disabled = false;
    };

    explicit ClientBook(const std::vector<StoredClient>& clients);

    void add(const StoredClient& client);
    void remove(const std::string& name) { clients_.erase(name); }
    void set_key(const std::string& name, const StoredKey& key);
    void set_access(const std::string& name, std::optional<WallTime> expires_at, bool disabled);
    const Client* find(const std::string& name) const;
    const std::map<std::string, Client>& all() const { return clients_; }
    // False once it was removed or disabled or has expired: it may have a session no longer.
    bool may_stay(const std::string& name, WallTime now) const;
    // Now, or when its session ended.
    void note_seen(const std::string& name, WallTime now);

    // Errc::unauthenticated for an unknown name and for a wrong proof, with one sentence for both, so that
    // strangers cannot learn names; `reason_for_log` tells which. Errc::expired, and Errc::unavailable for
    // one that is disabled, only once the proof was right.
    Status check_login(const std::string& name, BytesView proof, const Secret& binding, WallTime now,
                       std::string& reason_for_log) const;

  private:
    std::map<std::string, Client> clients_;
    StoredKey decoy_{};  // checked for unknown names, so that they take as long as known ones
};

}  // namespace tunnel::server
