#include "common/net/watched_socket.hpp"

#include <sys/epoll.h>

#include <utility>

namespace tunnel::net {

WatchedSocket::WatchedSocket(asio::io_context& context, EventSet& events, UniqueFd fd)
    : context_(context),
      events_(events),
      fd_(std::move(fd)),
      changed_(context, asio::steady_timer::time_point::max()),
      watched_(events_.add(fd_.get(), *this) == 0) {}

WatchedSocket::~WatchedSocket() {
    if (fd_ && watched_) events_.forget();
}

awaitable<bool> WatchedSocket::readable() {
    if (!watched_ || cancelled_) co_return false;
    // The timer is cancelled by an event and by the end of the task alike.
    if (!ready_) co_await changed_.async_wait(use_result);
    co_return std::exchange(ready_, false) && !cancelled_;
}

void WatchedSocket::cancel() {
    cancelled_ = true;
    changed_.cancel();
}

UniqueFd WatchedSocket::unwatch() {
    if (std::exchange(watched_, false)) events_.remove(fd_.get());
    return std::move(fd_);
}

void WatchedSocket::on_events(std::uint32_t events) {
    if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) == 0) return;
    ready_ = true;
    changed_.cancel();
}

}  // namespace tunnel::net
