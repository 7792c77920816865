#pragma once
// What a worker has to know of a mapping to serve its visitors. The control thread replaces it when the
// mapping changes; a worker takes the one in force for each visitor.

#include <memory>
#include <mutex>
#include <string>

#include "common/mapping/mapping_options.hpp"
#include "tunnel-server/mappings/mapping_key.hpp"

namespace tunnel::server {

struct MappingCounters;

struct Route {
    MappingKey mapping;
    SeatKey seat;
    MappingOptions options;
    std::string service;  // options.service in words
    std::shared_ptr<MappingCounters> counters;
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
