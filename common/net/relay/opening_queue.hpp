#pragma once
// Relays of one worker whose opening waits for the first bytes that go the same way, so that both leave in
// one segment. None waits longer than a moment. That worker's thread only.

#include <vector>

#include "common/core/clock.hpp"
#include "common/net/asio.hpp"

namespace tunnel::net {

class Relay;

class OpeningQueue {
  public:
    // Short beside any path that leaves the host, long beside a service's answer on it.
    static constexpr Millis longest_wait{1};

    explicit OpeningQueue(asio::io_context& context) : timer_(context) {}
    // Its flush_opening() is called within `longest_wait` or so, unless it is removed before.
    void add(Relay& relay);
    void remove(Relay& relay) { std::erase(waiting_, &relay); }

  private:
    void flush();

    asio::steady_timer timer_;
    bool scheduled_ = false;
    std::vector<Relay*> waiting_;
};

}  // namespace tunnel::net
