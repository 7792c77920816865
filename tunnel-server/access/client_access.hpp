#pragma once
// What the settings of clients come to while the server runs: the gate, the bandwidths and the month's
// traffic of each. Control thread; what it hands out is read by the workers.

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "common/core/log.hpp"
#include "tunnel-server/access/bandwidths.hpp"
#include "tunnel-server/access/client_settings.hpp"
#include "tunnel-server/access/list_book.hpp"
#include "tunnel-server/access/monthly_quota.hpp"
#include "tunnel-server/access/visitor_gate.hpp"

namespace tunnel::server {

// Errors name the list that server.toml does not.
Result<AccessList> make_access(const VisitorLimits& limits, const ListBook& lists);
// Null when there is nothing to keep to.
std::shared_ptr<const VisitorRules> make_rules(AccessList access, const VisitorLimits& limits, bool closed,
                                               const std::shared_ptr<const VisitorRules>& before);

class ClientAccess {
  public:
    struct Hooks {
        // The settings, the gate or the bandwidths of this client are others than before: its mappings'
        // routes are to be made anew, and its running visitors told.
        std::function<void(const std::string& client)> on_change;
        // The quota is used up: running visitors end.
        std::function<void(const std::string& client)> on_used_up;
        // To be kept across restarts.
        std::function<void(const std::string& client, const MonthlyUse& use)> on_use;
    };
    ClientAccess(Log log, const ListBook& lists, Hooks hooks);

    // Start: what was used in this month before.
    void load(const std::string& client, const MonthlyUse& use);
    // Whether every list is there that they name.
    Status check(const ClientSettings& settings) const;
    // A new client, or new settings.
    void set(const std::string& client, const ClientSettings& settings);
    void remove(const std::string& client);
    // Lists are others than before.
    void lists_changed();

    const ClientSettings& settings(const std::string& client) const;
    Gate gate(const std::string& client) const;
    Bandwidths bandwidths(const std::string& client) const;
    MonthlyUse use(const std::string& client, WallTime now) const;

    // Counts what passed since the last call, and acts on it.
    void count(WallTime now);
    // Hands every use that has changed since to on_use.
    void keep_uses(WallTime now);

  private:
    struct Client {
        ClientSettings settings;
        Gate gate{nullptr, std::make_shared<VisitorCount>(0)};
        Bandwidths bandwidths;
        MonthlyQuota quota;
        MonthlyUse kept;
        std::uint64_t counted = 0;  // of what passed under the bandwidths
    };
    bool apply(const std::string& name, Client& client, WallTime now);
    void take_traffic(const std::string& name, Client& client, WallTime now);

    Log log_;
    const ListBook& lists_;
    Hooks hooks_;
    std::map<std::string, Client> clients_;
};

}  // namespace tunnel::server
