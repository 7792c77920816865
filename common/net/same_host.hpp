#pragma once
// TCP that never leaves this host: a client's service on 127.0.0.1, a server behind a local reverse proxy.

#include "common/net/asio.hpp"

namespace tunnel::net {

// Before connect(2) to `address`, or listen(2) on it, which is inherited by what is accepted. On a loopback
// address the socket gets TCP's plain congestion control (reno): there is no path to probe, and where the
// host's default paces its segments (bbr), the timer that each of them would start costs more than moving
// them. Does nothing for other addresses.
void prepare_for_same_host(int fd, const tcp::endpoint& address);

}  // namespace tunnel::net
