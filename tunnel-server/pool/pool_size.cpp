#include "tunnel-server/pool/pool_size.hpp"

#include <algorithm>
#include <cmath>

namespace tunnel::server {

namespace {

// A visitor counts for about this long: longer than a page with its pictures takes to load, so that the next
// page finds as many ready.
constexpr double memory_seconds = 3;
// Visitors come in bursts: room for more than the mean.
constexpr double headroom = 3;
// One long dial says little.
constexpr double weight_of_last_dial = 0.1;
constexpr double longest_dial_seconds = 2;
// Over a near network a dial takes less; then the stock is as large as lets the client be asked in batches.
constexpr double shortest_dial_seconds = 0.005;

double seconds(Clock::duration time) {
    return std::chrono::duration<double>(time).count();
}

}  // namespace

double PoolSize::rate(TimePoint now) const {
    return recent_ * std::exp(-seconds(now - counted_at_) / memory_seconds) / memory_seconds;
}

void PoolSize::note_visitors(std::size_t count, TimePoint now) {
    recent_ = rate(now) * memory_seconds + static_cast<double>(count);
    counted_at_ = now;
}

void PoolSize::note_dial_time(Clock::duration time) {
    const double last = std::clamp(seconds(time), 0.0, longest_dial_seconds);
    dial_seconds_ += (last - dial_seconds_) * weight_of_last_dial;
}

std::size_t PoolSize::wanted(TimePoint now) const {
    const auto expected = std::lround(rate(now) * std::max(dial_seconds_, shortest_dial_seconds) * headroom);
    return std::min(limits_.floor + static_cast<std::size_t>(expected), limits_.ceiling);
}

}  // namespace tunnel::server
