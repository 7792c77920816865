#pragma once
// Tells when the host's network changes: a link comes up, an address or a route appears (rtnetlink(7)). Lets
// a client that waits for its next try go at once when the network is back. One thread.

#include <functional>

#include "common/core/result.hpp"
#include "common/net/asio.hpp"

namespace tunnel::net {

// Runs until cancelled; calls back after each change, many at once as one. Ends at once where the kernel
// allows no such socket: the caller then only has its timer.
awaitable<void> watch_network(std::function<void()> on_change);

}  // namespace tunnel::net
