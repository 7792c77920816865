#pragma once
// Edge-triggered readiness of a worker's relayed sockets: an epoll(7) set of its own, which the worker's
// io_context watches as one descriptor. A socket is registered once and its handler is told of every change,
// so that moving bytes costs no system call for waiting, and an idle connection no memory but its handler's.
//
// One thread: the io_context's. While sockets are registered the io_context has work to do.

#include <cstdint>
#include <vector>

#include "common/net/asio.hpp"

namespace tunnel::net {

class EventSet {
  public:
    // Must outlive every handler call of the turn in which its socket is removed or handed over: while
    // telling(), destroy it from a handler that was posted to the io_context after that.
    class Handler {
      public:
        // epoll(7)'s bits. EPOLLIN alone when it is a turn asked for by again().
        virtual void on_events(std::uint32_t events) = 0;

      protected:
        ~Handler() = default;
    };

    explicit EventSet(asio::io_context& context);

    // Tells of EPOLLIN, EPOLLOUT, EPOLLRDHUP, EPOLLHUP and EPOLLERR, edge-triggered. What is true already is
    // told first. 0, or errno.
    int add(int fd, Handler& handler);
    // Of one that is in the set: from the next turn on another handler is told, first of what is true
    // already.
    int hand_over(int fd, Handler& handler);
    // Of a descriptor that stays open.
    void remove(int fd);
    // Instead, of one that is being closed, which takes it out of the set without a system call.
    void forget();
    // Another turn for a handler that has more to do than is fair to the others.
    void again(Handler& handler);

    std::size_t size() const { return size_; }
    // Within a turn of handler calls; handlers that are removed outside of one may be destroyed at once.
    bool telling() const { return telling_; }

  private:
    void wait();
    void dispatch();
    void run_again();

    asio::io_context& context_;
    Descriptor set_;
    std::size_t size_ = 0;
    bool waiting_ = false;
    bool telling_ = false;
    std::vector<Handler*> again_;
};

}  // namespace tunnel::net
