#include "common/net/listener.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <optional>

#include "common/net/bind_error.hpp"
#include "common/net/deadline.hpp"
#include "common/net/same_host.hpp"
#include "common/net/socket.hpp"

namespace tunnel::net {

namespace {

constexpr int backlog = 4096;
constexpr int batch = 64;  // accepted before others get their turn
constexpr Millis exhausted_pause{100};
constexpr Seconds told_every{10};

enum class Sharing { alone, reuse_port };

Result<UniqueFd> bind_socket(const tcp::endpoint& address, Sharing sharing) {
    const bool v6 = address.address().is_v6();
    UniqueFd fd(::socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
    if (!fd) return fail_errno(errno, fmt::format("cannot open a socket for {}", to_text(address)));
    const int on = 1;
    const int off = 0;
    (void)::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (sharing == Sharing::reuse_port)
        (void)::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    if (v6)
        (void)::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY,
                           address.address().is_unspecified() ? &off : &on, sizeof on);
    if (::bind(fd.get(), address.data(), static_cast<socklen_t>(address.size())) != 0) {
        const int error = errno;
        return bind_error(error, to_text(address), address.port());
    }
    return fd;
}

// SO_REUSEPORT would let a second server of the same user share our port in silence, so first ask for the
// address alone. Returns the address with its port chosen.
Result<tcp::endpoint> claim(const tcp::endpoint& address) {
    auto probe = bind_socket(address, Sharing::alone);
    if (!probe) return pass(std::move(probe.error()));
    // bind(2) alone does not collide with a socket that is bound but not yet listening; listen(2) does.
    if (::listen(probe->get(), 1) != 0) return bind_error(EADDRINUSE, to_text(address), address.port());
    return local_of(probe->get());
}

Result<ListenSockets> open_all(const tcp::endpoint& address, std::size_t count) {
    auto claimed = claim(address);
    if (!claimed) return pass(std::move(claimed.error()));
    ListenSockets sockets;
    for (std::size_t i = 0; i < count; ++i) {
        auto fd = bind_socket(*claimed, Sharing::reuse_port);
        if (!fd) return pass(std::move(fd.error()));
        prepare_for_same_host(fd->get(), *claimed);
        if (::listen(fd->get(), backlog) != 0)
            return fail_errno(errno, fmt::format("cannot listen on {}", to_text(*claimed)));
        sockets.push_back(std::make_shared<ListenSocket>(std::move(*fd)));
    }
    return sockets;
}

bool lacks_ipv6(const Error& error) {
    return error.sys_errno == EAFNOSUPPORT;
}

// Tells when a listener has to leave the descriptors that are left to others. The kernel hands out the lowest
// free number (open(2)), so a number tells how many are taken.
class DescriptorReserve {
  public:
    DescriptorReserve(Accepts accepts, int any_open)
        : limited_(accepts == Accepts::visitors), open_(any_open) {
        const auto limit = descriptor_limit();
        ceiling_ = limit - std::min<std::size_t>(limit / 4, 1024);
    }
    // The number that accept(2) gave last.
    void note(int fd) { last_ = static_cast<std::size_t>(fd); }
    // True when the next descriptor belongs to the reserve. Costs no system call while there are plenty.
    bool reached() const {
        if (!limited_ || last_ < ceiling_ / 2) return false;
        const UniqueFd next(::fcntl(open_, F_DUPFD_CLOEXEC, 0));
        return !next || static_cast<std::size_t>(next.get()) >= ceiling_;
    }

  private:
    bool limited_;
    int open_;  // to be duplicated
    std::size_t ceiling_ = 0;
    std::size_t last_ = 0;
};

bool exhausted(int error) {
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

// Accepts what waits, up to a batch. 0: there may be more, or none are left. An error otherwise that concerns
// the listener, not one visitor.
int accept_batch(const ListenSocket& socket, DescriptorReserve& reserve,
                 const std::function<void(Accepted)>& on_accept) {
    for (int i = 0; i < batch; ++i) {
        if (reserve.reached()) return EMFILE;
        tcp::endpoint peer;
        auto size = static_cast<socklen_t>(peer.capacity());
        UniqueFd fd(::accept4(socket.fd(), peer.data(), &size, SOCK_NONBLOCK | SOCK_CLOEXEC));
        if (fd) {
            // A Unix socket's peer has no address; what it may have bound to does not fit.
            const bool inet = size <= peer.capacity() && peer.data()->sa_family != AF_UNIX;
            if (inet)
                peer.resize(size);
            else
                peer = {};
            reserve.note(fd.get());
            on_accept({std::move(fd), peer});
            continue;
        }
        const int error = errno;
        if (error == EAGAIN || error == EWOULDBLOCK) return 0;
        if (error == EINVAL || error == EBADF || exhausted(error)) return error;
        // That one visitor went away.
    }
    return 0;
}

}  // namespace

void ListenSocket::close_now() const {
    // Of a Unix socket, accept(2) says EAGAIN after a shutdown(2), and again and again: the flag tells.
    closed_ = true;
    (void)::shutdown(fd_.get(), SHUT_RDWR);
}

Result<ListenSockets> open_listeners(const tcp::endpoint& address, std::size_t count) {
    // With port 0 somebody may take the chosen port between the claim and the sharing sockets: try again.
    for (int attempt = 0;; ++attempt) {
        auto sockets = open_all(address, count);
        if (sockets) return sockets;
        const bool wildcard_v6 = address.address().is_v6() && address.address().is_unspecified();
        if (wildcard_v6 && (lacks_ipv6(sockets.error()) || sockets.error().code == Errc::invalid))
            return open_listeners(tcp::endpoint(asio::ip::address_v4::any(), address.port()), count);
        if (address.port() != 0 || sockets.error().code != Errc::conflict || attempt == 8) return sockets;
    }
}

tcp::endpoint bound_address(const ListenSockets& sockets) {
    return sockets.empty() ? tcp::endpoint() : local_of(sockets.front()->fd());
}

awaitable<void> accept_loop(std::shared_ptr<ListenSocket> socket, Accepts accepts, Log log,
                            std::function<void(Accepted)> on_accept) {
    Descriptor readiness(co_await asio::this_coro::executor, socket->fd());
    // The descriptor belongs to the ListenSocket; give it back however this coroutine ends.
    struct Release {
        Descriptor& descriptor;
        ~Release() { descriptor.release(); }
    } release{readiness};
    DescriptorReserve reserve(accepts, socket->fd());
    std::optional<TimePoint> told;
    for (;;) {
        const auto [wait_error] = co_await readiness.async_wait(Descriptor::wait_read, use_result);
        if (wait_error || socket->closed()) co_return;
        const auto error = accept_batch(*socket, reserve, on_accept);
        if (error == EINVAL || error == EBADF) co_return;  // closed by close_now()
        if (exhausted(error)) {
            if (!told || Clock::now() - *told >= told_every) {
                told = Clock::now();
                log.warn("listener paused",
                         {{"address", to_text(local_of(socket->fd()))},
                          {"reason", std::generic_category().message(error)},
                          {"hint", "raise the limit of open files (LimitNOFILE, ulimit -n)"}});
            }
            const bool passed = co_await pause_for(exhausted_pause);
            if (!passed) co_return;
        }
    }
}

}  // namespace tunnel::net
