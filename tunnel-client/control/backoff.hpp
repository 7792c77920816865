#pragma once
// How long to wait before the next try: at once, then doubling from a quarter of a second up to five seconds,
// each with jitter, so that the clients of a server that restarted do not all come in the same instant.
// Sans-I/O.

#include <algorithm>
#include <random>

#include "common/core/clock.hpp"

namespace tunnel::client {

class Backoff {
  public:
    static constexpr Millis first{250};
    static constexpr Millis longest{5000};

    explicit Backoff(std::uint64_t seed) : random_(seed) {}

    // Zero for the first try after reset(); later between half of the step and the whole of it.
    Millis next() {
        if (step_ == Millis(0)) {
            step_ = first;
            return Millis(0);
        }
        const auto step = std::exchange(step_, std::min(longest, step_ * 2));
        return Millis(std::uniform_int_distribution<Millis::rep>(step.count() / 2, step.count())(random_));
    }
    // After a session that worked.
    void reset() { step_ = Millis(0); }

  private:
    std::mt19937_64 random_;
    Millis step_{0};
};

}  // namespace tunnel::client
