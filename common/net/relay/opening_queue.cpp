#include "common/net/relay/opening_queue.hpp"

#include <utility>

#include "common/net/relay/relay.hpp"

namespace tunnel::net {

void OpeningQueue::add(Relay& relay) {
    waiting_.push_back(&relay);
    if (std::exchange(scheduled_, true)) return;
    timer_.expires_after(longest_wait);
    timer_.async_wait([this](const std::error_code& error) {
        scheduled_ = false;
        if (!error) flush();
    });
}

void OpeningQueue::flush() {
    for (auto* relay : std::exchange(waiting_, {})) relay->flush_opening();
}

}  // namespace tunnel::net
