#pragma once
// What the control thread knows of one seat's data connections: those that are ready, by worker, and those
// the client was asked for. Sans-I/O.

#include <deque>
#include <optional>
#include <vector>

#include "common/core/clock.hpp"
#include "tunnel-server/pool/pool_size.hpp"

namespace tunnel::server {

class SeatPool {
  public:
    SeatPool(PoolSize::Limits limits, std::size_t workers) : size_(limits), ready_(workers) {}

    // A new session: nothing is ready and nothing was asked for.
    void restart();
    void set_limits(PoolSize::Limits limits) { size_.set_limits(limits); }

    void note_visitors(std::size_t count, TimePoint now) { size_.note_visitors(count, now); }
    void note_asked(std::size_t count, TimePoint now);
    void note_arrived(std::size_t worker, std::size_t count, TimePoint now);
    // Ready once more, without having been asked for.
    void note_again(std::size_t worker, std::size_t count) {
        ready_[worker] += static_cast<std::ptrdiff_t>(count);
    }
    // Taken, lost, or promised to a visitor who is sent to that worker.
    void note_gone(std::size_t worker, std::size_t count = 1);
    // The promise could not be kept.
    void note_missed(std::size_t worker, std::size_t count) {
        ready_[worker] += static_cast<std::ptrdiff_t>(count);
    }
    // Will not come: the client says so, or the tickets have expired.
    void note_failed(std::size_t count);
    // Nothing is asked for ahead of need until then.
    void hold_off(TimePoint until) { not_before_ = until; }

    // A worker where one is ready.
    std::optional<std::size_t> worker_with_ready() const;
    // How many more to ask for, ahead of need in batches; at most `room` of them ahead of need.
    struct Need {
        std::size_t for_waiting = 0;
        std::size_t ahead = 0;
    };
    Need need(std::size_t waiting, std::size_t room, TimePoint now) const;
    // Those above what is wanted, once that has been so for a while: the worker with the most, and how many.
    struct Surplus {
        std::size_t worker = 0;
        std::size_t count = 0;
    };
    Surplus surplus(TimePoint now);

    std::ptrdiff_t ready() const;
    std::size_t asked() const { return asked_.size(); }

  private:
    PoolSize size_;
    // While notices are on their way a count may be below zero for a moment.
    std::vector<std::ptrdiff_t> ready_;
    std::deque<TimePoint> asked_;
    TimePoint not_before_{};
    std::optional<TimePoint> surplus_since_;
};

}  // namespace tunnel::server
