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
// Asked again before the io_context is, which takes three system calls for what takes one here.
constexpr int rounds = 4;
constexpr std::size_t slots_at_once = 512;

int make_set() {
    const int fd = ::epoll_create1(EPOLL_CLOEXEC);
    if (fd < 0) throw std::system_error(errno, std::generic_category(), "epoll_create1");
    return fd;
}

epoll_event event_for(int fd, std::uint32_t generation, EventSet::Interest interest) {
    epoll_event event{};
    event.events = EPOLLIN | EPOLLRDHUP | EPOLLET;
    if (interest == EventSet::Interest::both) event.events |= EPOLLOUT;
    event.data.u64 = std::uint64_t{generation} << 32 | static_cast<std::uint32_t>(fd);
    return event;
}

}  // namespace

EventSet::EventSet(asio::io_context& context) : context_(context), set_(context, make_set()) {}

int EventSet::add(int fd, Handler* handler, Interest interest) {
    if (fd < 0) return EBADF;
    const auto index = static_cast<std::size_t>(fd);
    // In steps, for twice what is needed would weigh as much as some connections do.
    if (index >= slots_.size()) slots_.resize((index / slots_at_once + 1) * slots_at_once);
    auto& slot = slots_[index];
    auto event = event_for(fd, slot.generation + 1, interest);
    if (::epoll_ctl(set_.native_handle(), EPOLL_CTL_ADD, fd, &event) != 0) return errno;
    slot = {handler, slot.generation + 1, interest};
    ++size_;
    wait();
    return 0;
}

void EventSet::tell_writable(int fd) {
    auto& slot = slots_[static_cast<std::size_t>(fd)];
    if (slot.interest == Interest::both) return;
    slot.interest = Interest::both;
    auto event = event_for(fd, slot.generation, slot.interest);
    (void)::epoll_ctl(set_.native_handle(), EPOLL_CTL_MOD, fd, &event);
}

void EventSet::hand_over(int fd, Handler& handler) {
    slots_[static_cast<std::size_t>(fd)].handler = &handler;
}

void EventSet::let_go(int fd) {
    slots_[static_cast<std::size_t>(fd)].handler = nullptr;
}

void EventSet::remove(int fd) {
    if (::epoll_ctl(set_.native_handle(), EPOLL_CTL_DEL, fd, nullptr) == 0) forget(fd);
}

void EventSet::forget(int fd) {
    slots_[static_cast<std::size_t>(fd)].handler = nullptr;
    // With nothing to wait for, the io_context may run out of work.
    if (--size_ == 0) set_.cancel();
}

void EventSet::after_events(std::function<void()> task) {
    // A handler that ends now may have asked for another turn, which has to come first.
    if (telling_ && again_.empty())
        after_.push_back(std::move(task));
    else
        asio::post(context_, std::move(task));
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
        for (int round = 0; round < rounds && dispatch();) ++round;
        waiting_ = false;
        wait();
    });
}

bool EventSet::dispatch() {
    std::array<epoll_event, batch> events;
    const int count = ::epoll_wait(set_.native_handle(), events.data(), batch, 0);
    telling_ = true;
    for (int i = 0; i < count; ++i) {
        const auto& event = events[static_cast<std::size_t>(i)];
        const auto& slot = slots_[event.data.u64 & 0xffffffffU];
        const bool current = slot.handler != nullptr && slot.generation == event.data.u64 >> 32;
        if (current) slot.handler->on_events(event.events);
    }
    telling_ = false;
    for (const auto& task : std::exchange(after_, {})) task();
    return count > 0;
}

}  // namespace tunnel::net
