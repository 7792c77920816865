#pragma once
// A socket in a worker's event set that a coroutine waits on until a relay takes it over there: it is
// registered once for both. That worker's thread.

#include <cstdint>

#include "common/net/asio.hpp"
#include "common/net/parked_socket.hpp"
#include "common/net/wakeup.hpp"

namespace tunnel::net {

class WatchedSocket final : EventSet::Handler {
  public:
    // What was told before, of a socket that had another handler.
    struct Told {
        bool readable = false;
        bool hung_up = false;
    };
    WatchedSocket(asio::io_context& context, ParkedSocket socket, Told told);
    WatchedSocket(const WatchedSocket&) = delete;
    WatchedSocket& operator=(const WatchedSocket&) = delete;
    // Closes it in an orderly way, unless it was given away: nobody is served by it.
    ~WatchedSocket();
    int fd() const { return socket_.fd(); }
    asio::io_context& context() { return context_; }
    // Waits until there is something to read since the last time, an end and an error included; goes on
    // within the event. False after cancel() and when the task is cancelled.
    awaitable<bool> readable();
    void cancel();

    // Something was told since, or the last read has not taken all.
    bool may_have_more() const { return ready_; }
    void set_may_have_more() { ready_ = true; }
    // The peer has ended, or the connection broke: bytes may still be there.
    bool hung_up() const { return hung_up_; }

    // For somebody who waits by other means.
    UniqueFd unwatch() { return socket_.unwatch(); }
    // It stays in the event set, without a handler.
    UniqueFd release();

  private:
    void on_events(std::uint32_t events) override;

    asio::io_context& context_;
    ParkedSocket socket_;
    Wakeup changed_;
    bool hung_up_;
    bool ready_;
    bool cancelled_ = false;
};

}  // namespace tunnel::net
