#include "common/net/watched_socket.hpp"

#include <sys/epoll.h>

#include <utility>

#include "common/net/socket.hpp"

namespace tunnel::net {

WatchedSocket::WatchedSocket(asio::io_context& context, ParkedSocket socket, Told told)
    : context_(context),
      socket_(std::move(socket)),
      changed_(context),
      hung_up_(told.hung_up),
      ready_(told.readable) {
    socket_.set_handler(*this);
}

WatchedSocket::~WatchedSocket() {
    if (socket_.fd() >= 0) set_reset_on_close(socket_.fd(), false);
}

awaitable<bool> WatchedSocket::readable() {
    if (cancelled_) co_return false;
    if (!ready_) co_await changed_.wait();
    co_return std::exchange(ready_, false) && !cancelled_;
}

void WatchedSocket::cancel() {
    cancelled_ = true;
    changed_.cancel();
}

UniqueFd WatchedSocket::release() {
    socket_.let_go();
    return socket_.release();
}

void WatchedSocket::on_events(std::uint32_t events) {
    if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) hung_up_ = true;
    if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) == 0) return;
    ready_ = true;
    changed_.wake();
}

}  // namespace tunnel::net
