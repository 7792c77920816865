#include "tunnel-server/pool/seat_pool.hpp"

#include <algorithm>
#include <numeric>

namespace tunnel::server {

namespace {

constexpr Seconds idle_limit{10};

}  // namespace

void SeatPool::restart() {
    std::fill(ready_.begin(), ready_.end(), 0);
    asked_.clear();
    not_before_ = {};
    surplus_since_.reset();
}

void SeatPool::note_asked(std::size_t count, TimePoint now) {
    asked_.insert(asked_.end(), count, now);
}

void SeatPool::note_arrived(std::size_t worker, std::size_t count, TimePoint now) {
    ready_[worker] += static_cast<std::ptrdiff_t>(count);
    for (; count > 0 && !asked_.empty(); --count) {
        size_.note_dial_time(now - asked_.front());
        asked_.pop_front();
    }
}

void SeatPool::note_gone(std::size_t worker, std::size_t count) {
    ready_[worker] -= static_cast<std::ptrdiff_t>(count);
}

void SeatPool::note_failed(std::size_t count) {
    asked_.erase(asked_.begin(),
                 asked_.begin() + static_cast<std::ptrdiff_t>(std::min(count, asked_.size())));
}

std::optional<std::size_t> SeatPool::worker_with_ready() const {
    const auto most = std::max_element(ready_.begin(), ready_.end());
    if (most == ready_.end() || *most <= 0) return std::nullopt;
    return static_cast<std::size_t>(most - ready_.begin());
}

std::ptrdiff_t SeatPool::ready() const {
    return std::accumulate(ready_.begin(), ready_.end(), std::ptrdiff_t{0});
}

SeatPool::Need SeatPool::need(std::size_t waiting, std::size_t room, TimePoint now) const {
    const auto have = static_cast<std::size_t>(std::max<std::ptrdiff_t>(ready(), 0)) + asked_.size();
    Need need;
    need.for_waiting = waiting > have ? waiting - have : 0;
    if (now < not_before_) return need;
    const auto wanted = size_.wanted(now);
    const auto target = waiting + wanted;
    const auto missing = (target > have ? target - have : 0) - need.for_waiting;
    // Half the stock is asked for at once rather than each one by itself.
    if (missing >= std::max<std::size_t>(1, wanted / 2)) need.ahead = std::min(missing, room);
    return need;
}

SeatPool::Surplus SeatPool::surplus(TimePoint now) {
    const auto have = ready();
    const auto wanted = static_cast<std::ptrdiff_t>(size_.wanted(now));
    if (have <= wanted) {
        surplus_since_.reset();
        return {};
    }
    if (!surplus_since_) surplus_since_ = now;
    if (now - *surplus_since_ < idle_limit) return {};
    const auto most = std::max_element(ready_.begin(), ready_.end());
    return {static_cast<std::size_t>(most - ready_.begin()),
            static_cast<std::size_t>(std::min(*most, have - wanted))};
}

}  // namespace tunnel::server
