#pragma once
// Edge-triggered readiness of a worker's relayed sockets: an epoll(7) set of its own, which the worker's
// io_context watches as one descriptor. A socket is registered once and its handler is told of every change,
// so that moving bytes costs no system call for waiting, and an idle connection no memory but its handler's.
//
// One thread: the io_context's. While sockets are registered the io_context has work to do.

#include <cstdint>
#include <functional>
#include <vector>

#include "common/net/asio.hpp"

namespace tunnel::net {

class EventSet {
  public:
    // Told nothing any more once its socket was removed, forgotten or handed over, so that it may be
    // destroyed then: by itself too, as the last thing that on_events() does. A turn that it has asked for by
    // again() has to come first.
    class Handler {
      public:
        // epoll(7)'s bits. EPOLLIN alone when it is a turn asked for by again().
        virtual void on_events(std::uint32_t events) = 0;

      protected:
        ~Handler() = default;
    };

    explicit EventSet(asio::io_context& context);

    enum class Interest : std::uint8_t {
        reading,  // EPOLLIN, EPOLLRDHUP, EPOLLHUP and EPOLLERR
        both,     // EPOLLOUT too, which is told at once of a socket that takes bytes
    };
    // Edge-triggered. What is true already is told first. 0, or errno.
    int add(int fd, Handler& handler, Interest interest = Interest::both) {
        return add(fd, &handler, interest);
    }
    // Without a handler until hand_over(): what happens meanwhile is told to nobody.
    int add(int fd, Interest interest) { return add(fd, nullptr, interest); }
    // Of one that was added for reading and has not taken all that was written: EPOLLOUT is told from now on,
    // also when it is true already.
    void tell_writable(int fd);
    // Of one that is in the set: from now on another handler is told. Costs no system call; what was told
    // before is not told again.
    void hand_over(int fd, Handler& handler);
    // Its handler is told nothing any more; it stays in the set.
    void let_go(int fd);
    // Of a descriptor that stays open.
    void remove(int fd);
    // Instead, of one that is being closed, which takes it out of the set without a system call.
    void forget(int fd);
    // Runs the task when all that is under way was told, other turns that were asked for included.
    void after_events(std::function<void()> task);
    // Another turn for a handler that has more to do than is fair to the others.
    void again(Handler& handler);

    std::size_t size() const { return size_; }

  private:
    // By descriptor. An event that was under way to one that is gone names an older generation.
    struct Slot {
        Handler* handler = nullptr;  // null: told to nobody
        std::uint32_t generation = 0;
        Interest interest = Interest::both;
    };
    int add(int fd, Handler* handler, Interest interest);
    void wait();
    // Whether there was anything to tell.
    bool dispatch();
    void run_again();

    asio::io_context& context_;
    Descriptor set_;
    std::vector<Slot> slots_;
    std::size_t size_ = 0;
    bool waiting_ = false;
    std::vector<Handler*> again_;
    bool telling_ = false;
    std::vector<std::function<void()>> after_;
};

}  // namespace tunnel::net
