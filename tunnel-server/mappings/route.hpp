#pragma once
// What a worker has to know of a mapping to serve its visitors. The control thread replaces it when the
// mapping changes; a worker takes the one in force for each visitor.

#include <memory>
#include <mutex>
#include <string>

#include "common/mapping/mapping_options.hpp"
#include "tunnel-server/access/bandwidths.hpp"
#include "tunnel-server/access/visitor_gate.hpp"
#include "tunnel-server/mappings/mapping_key.hpp"

namespace tunnel::server {

struct MappingCounters;

struct Route {
    MappingKey mapping;
    SeatKey seat;
    MappingOptions options;
    std::string service;  // options.service in words
    std::shared_ptr<MappingCounters> counters;
    Gates gates;  // the mapping's and its client's
    Bandwidths bandwidths;
    Bandwidths client_bandwidths;
    std::shared_ptr<const NetworkSet> proxies;  // whose connections begin with a PROXY header; null: nobody's
};

// Any thread.
class RouteCell {
  public:
    std::shared_ptr<const Route> get() const {
        const std::lock_guard lock(mutex_);
        return route_;
    }
    void set(Route route) {
        auto next = std::make_shared<const Route>(std::move(route));
        const std::lock_guard lock(mutex_);
        route_.swap(next);
    }

  private:
    mutable std::mutex mutex_;
    std::shared_ptr<const Route> route_;
};

}  // namespace tunnel::server
