#pragma once
// How many data connections of one client should be ready before their visitors: what is expected to come
// while further ones are being dialled. Sans-I/O; control thread.

#include <cstddef>

#include "common/core/clock.hpp"

namespace tunnel::server {

class PoolSize {
  public:
    struct Limits {
        std::size_t floor = 2;
        std::size_t ceiling = 64;
    };
    explicit PoolSize(Limits limits) : limits_(limits) {}

    void set_limits(Limits limits) { limits_ = limits; }
    // So many visitors came.
    void note_visitors(std::size_t count, TimePoint now);
    // From asking the client for a data connection until it was there.
    void note_dial_time(Clock::duration time);
    // A ceiling of 0 means that there is no pool.
    std::size_t wanted(TimePoint now) const;

  private:
    double rate(TimePoint now) const;

    Limits limits_;
    double recent_ = 0;  // visitors, each counting less with every second that passes
    TimePoint counted_at_{};
    double dial_seconds_ = 0.05;
};

}  // namespace tunnel::server
