#pragma once
// A socket that is in an event set and has no handler for the moment: on its way from one to the next, or
// put aside. What happens to it meanwhile is told to nobody. That set's thread.

#include <optional>
#include <utility>

#include "common/net/event_set.hpp"
#include "common/net/unique_fd.hpp"

namespace tunnel::net {

class ParkedSocket {
  public:
    // Of a socket that is in `events` already.
    ParkedSocket(EventSet& events, UniqueFd fd) : events_(&events), fd_(std::move(fd)) {
        events_->let_go(fd_.get());
    }
    // Nothing when the system cannot watch one more.
    static std::optional<ParkedSocket> add(EventSet& events, UniqueFd fd);

    ParkedSocket(ParkedSocket&&) = default;
    ParkedSocket& operator=(ParkedSocket&& other) noexcept {
        std::swap(events_, other.events_);
        std::swap(fd_, other.fd_);
        return *this;
    }
    // Closes it, unless it was given away.
    ~ParkedSocket() {
        if (fd_) events_->forget(fd_.get());
    }

    int fd() const { return fd_.get(); }
    // It has one from now on, until it is given away or closed.
    void set_handler(EventSet::Handler& handler) { events_->hand_over(fd_.get(), handler); }
    void let_go() { events_->let_go(fd_.get()); }
    // It stays in the set: hand it over or remove it there.
    UniqueFd release() { return std::move(fd_); }
    // It leaves the set.
    UniqueFd unwatch() {
        events_->remove(fd_.get());
        return std::move(fd_);
    }

  private:
    EventSet* events_;
    UniqueFd fd_;
};

inline std::optional<ParkedSocket> ParkedSocket::add(EventSet& events, UniqueFd fd) {
    if (events.add(fd.get(), EventSet::Interest::reading) != 0) return std::nullopt;
    return ParkedSocket(events, std::move(fd));
}

}  // namespace tunnel::net
