#pragma once
// A token bucket: so many tokens a second, and up to `burst` of them saved. Sans-I/O, any thread: the state
// is one number, the time at which the bucket will be full again (the GCRA of ITU-T I.371), so that threads
// which share a bucket need no lock.

#include <atomic>
#include <cstdint>

#include "common/core/clock.hpp"

namespace tunnel {

class TokenBucket {
  public:
    struct Rate {
        std::uint64_t per_second = 0;  // 0: without limit
        std::uint64_t burst = 0;       // 0: one token
        bool operator==(const Rate&) const = default;
    };
    // Full at first.
    TokenBucket() = default;
    explicit TokenBucket(Rate rate) { set_rate(rate); }

    // Takes up to `most` tokens, none when fewer than `least` are there. Where `least` is more than the
    // burst, a full bucket gives it, on credit. Without limit all of `most`.
    std::uint64_t take(TimePoint now, std::uint64_t most, std::uint64_t least = 1);
    // Gives back what was taken and not used.
    void give_back(std::uint64_t tokens);
    // What take() would find.
    std::uint64_t available(TimePoint now) const;
    // How long until `tokens` (at most the burst) are there; zero when they are.
    Clock::duration time_until(TimePoint now, std::uint64_t tokens) const;

    // Keeps the debt and the savings as times, so a new rate neither forgives nor punishes.
    void set_rate(Rate rate);
    Rate rate() const { return {per_second_, burst_}; }
    bool unlimited() const { return per_second_ == 0; }

  private:
    std::int64_t cost(std::uint64_t tokens, std::uint64_t per_second) const;

    std::atomic<std::uint64_t> per_second_{0};
    std::atomic<std::uint64_t> burst_{0};
    std::atomic<std::int64_t> full_at_{0};  // nanoseconds of Clock
};

}  // namespace tunnel
