#include "common/net/same_host.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <string_view>

namespace tunnel::net {

namespace {

// The one that every Linux has and every user may choose (tcp(7), tcp_allowed_congestion_control).
constexpr std::string_view plain = "reno";

}  // namespace

void prepare_for_same_host(int fd, const tcp::endpoint& address) {
    if (!address.address().is_loopback()) return;
    // A failure leaves the host's default, which works too.
    (void)::setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, plain.data(), static_cast<socklen_t>(plain.size()));
}

}  // namespace tunnel::net
