#include "common/core/token_bucket.hpp"

#include <algorithm>
#include <limits>

namespace tunnel {

namespace {

constexpr std::uint64_t second = 1'000'000'000;

// 128 bits, because a terabyte takes more than 64 once it is multiplied.
__extension__ using Wide = unsigned __int128;

std::int64_t nanoseconds(TimePoint time) {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count();
}

std::uint64_t tokens_of(std::int64_t nanos, std::uint64_t per_second) {
    if (nanos <= 0) return 0;
    const Wide tokens = Wide(static_cast<std::uint64_t>(nanos)) * per_second / second;
    return static_cast<std::uint64_t>(std::min<Wide>(tokens, std::numeric_limits<std::uint64_t>::max()));
}

}  // namespace

// Rounded up, so that rounding never lets more through than was asked for.
std::int64_t TokenBucket::cost(std::uint64_t tokens, std::uint64_t per_second) const {
    constexpr Wide longest = std::numeric_limits<std::int64_t>::max() / 4;
    return static_cast<std::int64_t>(
        std::min(longest, (Wide(tokens) * second + per_second - 1) / per_second));
}

std::uint64_t TokenBucket::take(TimePoint now, std::uint64_t most, std::uint64_t least) {
    const std::uint64_t per_second = per_second_;
    if (per_second == 0) return most;
    const std::uint64_t burst = burst_;
    const auto at = nanoseconds(now);
    const auto depth = cost(burst, per_second);
    auto full_at = full_at_.load();
    for (;;) {
        const auto from = std::max(full_at, at);
        const auto there = std::min(burst, tokens_of(at + depth - from, per_second));
        if (there == 0 || there < std::min(least, burst)) return 0;
        const auto taken = std::max(least, std::min(most, there));
        if (full_at_.compare_exchange_weak(full_at, from + cost(taken, per_second))) return taken;
    }
}

void TokenBucket::give_back(std::uint64_t tokens) {
    const std::uint64_t per_second = per_second_;
    if (per_second != 0 && tokens != 0) full_at_ -= cost(tokens, per_second);
}

std::uint64_t TokenBucket::available(TimePoint now) const {
    const std::uint64_t per_second = per_second_;
    if (per_second == 0) return std::numeric_limits<std::uint64_t>::max();
    const auto at = nanoseconds(now);
    const std::uint64_t burst = burst_;
    return std::min(burst,
                    tokens_of(at + cost(burst, per_second) - std::max(full_at_.load(), at), per_second));
}

Clock::duration TokenBucket::time_until(TimePoint now, std::uint64_t tokens) const {
    const std::uint64_t per_second = per_second_;
    if (per_second == 0) return {};
    const std::uint64_t burst = burst_;
    const auto ready = full_at_.load() - cost(burst, per_second) + cost(std::min(tokens, burst), per_second);
    return std::chrono::nanoseconds(std::max<std::int64_t>(0, ready - nanoseconds(now)));
}

void TokenBucket::set_rate(Rate rate) {
    burst_ = std::max<std::uint64_t>(1, rate.burst);
    per_second_ = rate.per_second;
}

}  // namespace tunnel
