#pragma once
// What a worker has to know of a mapping to serve its visitors. The control thread replaces it when the
// mapping changes; a worker takes the one in force for each visitor.

#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "common/core/clock.hpp"
#include "common/mapping/mapping_options.hpp"
#include "tunnel-server/access/bandwidths.hpp"
#include "tunnel-server/access/visitor_gate.hpp"
#include "tunnel-server/groups/balancer.hpp"
#include "tunnel-server/mappings/mapping_key.hpp"

namespace tunnel::server {

struct MappingCounters;
class RouteCell;

struct Route {
    MappingKey mapping;
    SeatKey seat;
    MappingOptions options;
    std::string service;  // the one for its visitors, in words
    std::shared_ptr<MappingCounters> counters;
    Gates gates{};  // the mapping's and its client's
    Bandwidths bandwidths{};
    Bandwidths client_bandwidths{};
    // Their connections begin with a PROXY header; null: nobody's.
    std::shared_ptr<const NetworkSet> proxies{};
    // Of a group: the member that this route leads to, and where the others are. Empty otherwise.
    std::shared_ptr<Member> member{};
    std::weak_ptr<RouteCell> group{};

    // A visitor is served by it from now on, and no longer. In mapping.hpp.
    void came() const;
    void went() const;
};
using Routes = std::vector<std::shared_ptr<const Route>>;

// The routes of one mapping, or of all mappings of a group, and who of them is next. Any thread.
class RouteSet {
  public:
    // A route without a member stands alone.
    RouteSet(Routes routes, Balance balance);

    // Null when every member was tried or drains.
    std::shared_ptr<const Route> pick(const IpAddress& visitor, TimePoint now,
                                      const Balancer::Members& tried = {});
    // Of a group: whether pick() would find one.
    bool can_pick(TimePoint now, const Balancer::Members& tried) const {
        return balancer_.can_pick(now, tried);
    }
    // The only one, or the first of a group; never null.
    const std::shared_ptr<const Route>& first() const { return routes_.front(); }
    const Routes& routes() const { return routes_; }

  private:
    const Routes routes_;
    Balancer balancer_;
};

// Any thread.
class RouteCell {
  public:
    std::shared_ptr<RouteSet> set() const {
        const std::lock_guard lock(mutex_);
        return set_;
    }
    std::shared_ptr<const Route> get() const { return set()->first(); }
    std::shared_ptr<const Route> pick(const IpAddress& visitor, const Balancer::Members& tried = {}) const {
        return set()->pick(visitor, Clock::now(), tried);
    }
    void set(Routes routes, Balance balance) {
        auto next = std::make_shared<RouteSet>(std::move(routes), balance);
        const std::lock_guard lock(mutex_);
        set_.swap(next);
    }

  private:
    mutable std::mutex mutex_;
    std::shared_ptr<RouteSet> set_;
};

}  // namespace tunnel::server
