#pragma once
// Every mapping of the server, and the listeners that follow from them: a mapping listens while its client is
// connected or away within the grace time, unless it is paused or refused. Control thread. Knows nothing of
// the store: whoever changes an admin's mapping asks the store first.

#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/core/log.hpp"
#include "common/net/worker.hpp"
#include "tunnel-server/access/client_access.hpp"
#include "tunnel-server/listen/public_listener.hpp"
#include "tunnel-server/mappings/endpoint_rules.hpp"
#include "tunnel-server/mappings/mapping.hpp"
#include "tunnel-server/store/store.hpp"

namespace tunnel::server {

enum class Presence { connected, away, gone };

class MappingTable {
  public:
    using Rules = EndpointRules;
    struct Hooks {
        // On a worker: a visitor came to this mapping.
        std::function<void(net::Worker&, std::shared_ptr<const Route>, net::Accepted)> on_visitor;
        // On the control thread: listens for the datagrams of a UDP mapping, or of a group of them, whose
        // routes in force are in the cell.
        std::function<Result<std::shared_ptr<UdpListener>>(const PublicPlace&,
                                                           const std::shared_ptr<RouteCell>&)>
            open_udp;
        // On the control thread: what the seat's client should be told has changed.
        std::function<void(const SeatKey&)> on_change;
        // A mapping is gone for good: its running visitors are to end.
        std::function<void(const MappingKey&)> on_removed;
        // The bandwidths are others than before, for visitors who are there.
        std::function<void(const MappingKey&, const Bandwidths&)> on_bandwidths;
        // The server chose a port, to be remembered across restarts.
        std::function<void(const MappingKey&, Port)> on_port_chosen;
    };

    struct Access {
        const ListBook& lists;
        const ClientAccess& clients;
    };

    MappingTable(net::WorkerPool& workers, Log log, Rules rules, Access access, Hooks hooks);

    void load(const StoreSnapshot& snapshot);
    // Reload. A client's mapping on a port that clients may no longer take is refused, or moves when the
    // server chose its port; what the old rules kept a client from is tried again. Bind addresses apply to
    // what opens from now on.
    void set_rules(Rules rules);

    // The admin's. check_new() says whether add() would work: name free, port free and allowed to listen on.
    Status check_new(const StoredMapping& mapping) const;
    const Mapping& add(const StoredMapping& mapping);
    void remove(const MappingKey& key);
    void set_paused(const MappingKey& key, bool paused);
    void remove_client(const std::string& client);

    // The sessions'. declare() replaces the set that this seat declared before; what has not changed is not
    // touched.
    void declare(const SeatKey& seat, const std::vector<wire::MappingSpec>& specs);
    void set_presence(const SeatKey& seat, Presence presence);
    void object(const MappingKey& key, const std::string& reason);
    void note_error(const MappingKey& key, const std::string& reason);
    // A client's settings, gate or bandwidths are others than before: what it may no longer have is refused,
    // what it may have is tried again.
    void client_changed(const std::string& client);
    // Named lists are others than before.
    void lists_changed();
    // What a client's checks found. Said of a service that is no member here, it is nothing.
    void note_health(const SeatKey& seat, const wire::HealthReport& report);
    // A drained member takes no new visitors. Errc::not_found when the mapping has no such service,
    // Errc::invalid when it has no members at all.
    Status check_member(const MappingKey& key, const std::string& service) const;
    void set_drained(const MappingKey& key, const std::string& service, bool drained);
    // Tries again to open what could not listen, for ports that came free. To be called now and then.
    void retry_refused();

    // Errc::not_found; Errc::conflict when several clients have a mapping of that name and none was given.
    Result<MappingKey> find(const std::string& name, const std::string& client) const;
    const Mapping* get(const MappingKey& key) const;
    const std::map<MappingKey, Mapping>& all() const { return mappings_; }
    // What a seat's client is told of its mappings, those it was refused included.
    std::vector<wire::MappingState> states_for(const SeatKey& seat) const;
    // "vps.example.com:2222", a Unix socket's path; empty while no port was chosen.
    std::string public_address(const Mapping& mapping) const;
    std::size_t count_of(const std::string& client) const;
    // Closes every listener: no visitor is accepted any more.
    void close_all();

  private:
    void refresh(Mapping& mapping);
    void refuse(Mapping& mapping, Error reason);
    Status renew_access(Mapping& mapping);
    Status check_client(const Mapping& mapping) const;
    std::size_t standing_of(const std::string& client, const MappingKey& except) const;
    EndpointRules rules_of(const std::string& client) const;
    // mapping_groups.cpp: mappings with several services, and those that share their visitors.
    void place_in_group(Mapping& mapping);
    bool is_shared(const Mapping& mapping) const;
    void renew_members(Mapping& mapping, Presence presence);
    void renew_routes(const Mapping& mapping);
    Routes routes_of(const Mapping& mapping) const;
    Routes routes_in_force(const Mapping& mapping) const;
    void renew_group(const std::shared_ptr<RouteCell>& cell);
    // Whose listener others of the group join; null when there is none.
    const Mapping* listening_in_group(const std::string& group) const;
    Status check_share(const MappingKey& key, wire::MappingSource source,
                       const MappingOptions& options) const;
    Status open(Mapping& mapping);
    Status check_descriptors(const PublicPlace& place) const;
    Status listen(Mapping& mapping, const PublicEndpoint& endpoint);
    Status open_on(Mapping& mapping, const PublicEndpoint& endpoint);
    Status open_tcp(Mapping& mapping, const PublicPlace& place);
    Status open_udp(Mapping& mapping, const PublicPlace& place);
    void log_listening(const Mapping& mapping) const;
    void remember_port(const Mapping& mapping);
    // Whether what listens may go on: the rules, or what its client may, are others than before.
    bool may_stay(const Mapping& mapping) const;
    // `group` may be shared with.
    Status check_endpoint(const MappingKey& key, wire::MappingSource source, const PublicEndpoint& endpoint,
                          const std::string& group) const;
    PublicPlace place_of(const PublicEndpoint& endpoint, Seconds keepalive) const;
    std::vector<Port> candidates(const Mapping& mapping) const;
    Status take_spec(const SeatKey& seat, const wire::MappingSpec& spec);
    void apply(Mapping& mapping, MappingOptions options, Port preferred_port);
    Presence presence_of(const SeatKey& seat) const;
    void erase(std::map<MappingKey, Mapping>::iterator at);
    void forget(std::map<MappingKey, Mapping>::iterator at);

    net::WorkerPool& workers_;
    Log log_;
    Rules rules_;
    Access access_;
    Hooks hooks_;
    std::map<MappingKey, Mapping> mappings_;
    std::map<MappingKey, Port> assigned_ports_;             // kept for clients that come back
    std::map<MappingKey, bool> paused_;                     // likewise, for mappings of either source
    std::set<std::pair<MappingKey, std::string>> drained_;  // members, by their services
    std::map<std::string, std::weak_ptr<RouteCell>> groups_;
    std::map<SeatKey, Presence> presence_;
    std::map<SeatKey, std::vector<wire::MappingState>> rejected_;
    bool closed_ = false;
};

}  // namespace tunnel::server
