#include "common/net/event_set.hpp"

#include <sys/epoll.h>

#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

namespace tunnel::net {

namespace {

// Told of before the io_context's other work gets its turn.
constexpr int batch = 256;

int make_set() {
    const int fd = ::epoll_create1(EPOLL_CLOEXEC);
    if (fd < 0) throw std::system_error(errno, std::generic_category(), "epoll_create1");
    return fd;
}

epoll_event event_for(EventSet::Handler& handler) {
    epoll_event event{};
    event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
    event.data.ptr = &handler;
    return event;
}

}  // namespace

EventSet::EventSet(asio::io_context& context) : context_(context), set_(context, make_set()) {}

int EventSet::hand_over(int fd, Handler& handler) {
    auto event = event_for(handler);
    return ::epoll_ctl(set_.native_handle(), EPOLL_CTL_MOD, fd, &event) == 0 ? 0 : errno;
}

int EventSet::add(int fd, Handler& handler) {
    auto event = event_for(handler);
    if (::epoll_ctl(set_.native_handle(), EPOLL_CTL_ADD, fd, &event) != 0) return errno;
    ++size_;
    wait();
    return 0;
}

void EventSet::remove(int fd) {
    if (::epoll_ctl(set_.native_handle(), EPOLL_CTL_DEL, fd, nullptr) == 0) forget();
}

void EventSet::forget() {
    // With nothing to wait for, the io_context may run out of work.
    if (--size_ == 0) set_.cancel();
}

void EventSet::again(Handler& handler) {
    again_.push_back(&handler);
    if (again_.size() == 1) asio::post(context_, [this] { run_again(); });
}

void EventSet::run_again() {
    for (auto* handler : std::exchange(again_, {})) handler->on_events(EPOLLIN);
}

void EventSet::wait() {
    if (waiting_ || size_ == 0) return;
    waiting_ = true;
    set_.async_wait(Descriptor::wait_read, [this](const std::error_code& error) {
        if (error == asio::error::operation_aborted && size_ == 0) {
            waiting_ = false;
            return;
        }
        dispatch();
        waiting_ = false;
        wait();
    });
}

void EventSet::dispatch() {
    std::array<epoll_event, batch> events;
    const int count = ::epoll_wait(set_.native_handle(), events.data(), batch, 0);
    telling_ = true;
    for (int i = 0; i < count; ++i)
        static_cast<Handler*>(events[static_cast<std::size_t>(i)].data.ptr)
            ->on_events(events[static_cast<std::size_t>(i)].events);
    telling_ = false;
}

}  // namespace tunnel::net
