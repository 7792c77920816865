#include "common/net/deadline.hpp"

#include <utility>

namespace tunnel::net {

Deadline::Deadline(const asio::any_io_executor& executor, Clock::duration after,
                   std::function<void()> on_expiry)
    : state_(std::make_shared<State>(executor)) {
    state_->on_expiry = std::move(on_expiry);
    state_->timer.expires_after(after);
    state_->timer.async_wait([state = state_](const std::error_code& error) {
        if (error || !state->on_expiry) return;
        state->expired = true;
        // Taken out first: what runs may end the Deadline, which would destroy the function under its feet.
        const auto action = std::exchange(state->on_expiry, nullptr);
        action();
    });
}

Deadline::~Deadline() {
    state_->on_expiry = nullptr;
    state_->timer.cancel();
}

awaitable<bool> pause_for(Clock::duration duration) {
    asio::steady_timer timer(co_await asio::this_coro::executor, duration);
    const auto [error] = co_await timer.async_wait(use_result);
    co_return !error;
}

}  // namespace tunnel::net
