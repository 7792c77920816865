#include "common/net/loopback_pair.hpp"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>

#include "common/net/same_host.hpp"
#include "common/net/socket.hpp"

namespace tunnel::net {

namespace {

constexpr int backlog = 16;

UniqueFd tcp_socket(const tcp::endpoint& address) {
    UniqueFd fd(
        ::socket(address.protocol().family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
    if (!fd) return fd;
    // Ports of pairs that have just gone can be used again at once.
    const int on = 1;
    (void)::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    prepare_for_same_host(fd.get(), address);
    return fd;
}

// Anybody on this host may have connected in between: only the one whose address is ours is taken.
UniqueFd accept_from(int listener, const tcp::endpoint& wanted) {
    for (int i = 0; i < backlog; ++i) {
        UniqueFd fd(::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
        if (!fd || peer_of(fd.get()) == wanted) return fd;
    }
    errno = ECONNABORTED;
    return {};
}

// errno tells what failed.
LoopbackPair make_pair_on(const asio::ip::address& loopback) {
    const tcp::endpoint any(loopback, 0);
    const auto listener = tcp_socket(any);
    if (!listener || ::bind(listener.get(), any.data(), static_cast<socklen_t>(any.size())) != 0 ||
        ::listen(listener.get(), backlog) != 0)
        return {};
    const auto address = local_of(listener.get());
    LoopbackPair pair{tcp_socket(address), {}};
    if (!pair.ours) return {};
    if (::connect(pair.ours.get(), address.data(), static_cast<socklen_t>(address.size())) != 0) {
        // On this host a connection is there although connect(2) says that it is under way.
        pollfd state{pair.ours.get(), POLLOUT, 0};
        constexpr int patience_ms = 100;
        if (errno != EINPROGRESS || ::poll(&state, 1, patience_ms) <= 0 || state.revents != POLLOUT)
            return {};
    }
    pair.theirs = accept_from(listener.get(), local_of(pair.ours.get()));
    return pair;
}

}  // namespace

Result<LoopbackPair> make_loopback_pair() {
    auto pair = make_pair_on(asio::ip::address_v4::loopback());
    if (!pair.theirs && (errno == EADDRNOTAVAIL || errno == EAFNOSUPPORT))
        pair = make_pair_on(asio::ip::address_v6::loopback());
    if (!pair.theirs) return fail_errno(errno, "cannot connect this program to itself over loopback");
    return pair;
}

}  // namespace tunnel::net
