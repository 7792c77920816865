#pragma once
// Waiting for what other threads do: a condition is asked again until it holds or the deadline is over.

#include <thread>

#include "common/core/clock.hpp"

namespace tunnel::test {

inline constexpr Millis patience{8000};

template <class Condition>
bool eventually(Condition condition, Millis limit = patience) {
    const auto end = Clock::now() + limit;
    while (!condition()) {
        if (Clock::now() >= end) return condition();
        std::this_thread::sleep_for(Millis(2));
    }
    return true;
}

}  // namespace tunnel::test
