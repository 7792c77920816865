#pragma once
// A time limit on whatever a coroutine does next: when it passes, `on_expiry` runs (on the same thread) and
// usually cancels a socket; expired() then tells a time-out from other failures. Going out of scope calls it
// off.

#include <functional>
#include <memory>

#include "common/core/clock.hpp"
#include "common/net/asio.hpp"

namespace tunnel::net {

class Deadline {
  public:
    Deadline(const asio::any_io_executor& executor, Clock::duration after, std::function<void()> on_expiry);
    Deadline(const Deadline&) = delete;
    Deadline& operator=(const Deadline&) = delete;
    ~Deadline();
    bool expired() const { return state_->expired; }

  private:
    // Shared with the timer's handler, which may already be queued when this object goes.
    struct State {
        explicit State(const asio::any_io_executor& executor) : timer(executor) {}
        asio::steady_timer timer;
        std::function<void()> on_expiry;
        bool expired = false;
    };
    std::shared_ptr<State> state_;
};

// Waits for the time to pass. False when the wait was cancelled.
awaitable<bool> pause_for(Clock::duration duration);

}  // namespace tunnel::net
