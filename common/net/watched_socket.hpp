#pragma once
// A socket in a worker's event set that a coroutine waits on until a relay takes it over there: it is
// registered once for both. That worker's thread.

#include <cstdint>

#include "common/net/asio.hpp"
#include "common/net/event_set.hpp"
#include "common/net/unique_fd.hpp"

namespace tunnel::net {

class WatchedSocket final : EventSet::Handler {
  public:
    WatchedSocket(asio::io_context& context, EventSet& events, UniqueFd fd);
    WatchedSocket(const WatchedSocket&) = delete;
    WatchedSocket& operator=(const WatchedSocket&) = delete;
    // Closes it, unless it was given away. From a coroutine, not from within a handler of the event set.
    ~WatchedSocket();

    int fd() const { return fd_.get(); }
    asio::io_context& context() { return context_; }
    // Waits until there is something to read since the last time, an end and an error included. False after
    // cancel(), when the task is cancelled, and when the socket cannot be watched.
    awaitable<bool> readable();
    void cancel();

    // For somebody who waits by other means.
    UniqueFd unwatch();
    // Still in the event set: this object has to live until another handler has taken over.
    UniqueFd release() { return std::move(fd_); }

  private:
    void on_events(std::uint32_t events) override;

    asio::io_context& context_;
    EventSet& events_;
    UniqueFd fd_;
    asio::steady_timer changed_;  // cancelled when something happens
    bool watched_;
    bool ready_ = false;
    bool cancelled_ = false;
};

}  // namespace tunnel::net
