#include "tunnel-client/control/backoff.hpp"

#include <gtest/gtest.h>

#include <random>
#include <set>

namespace tunnel::client {
namespace {

std::uint64_t seed() {
    static const std::uint64_t value = [] {
        const auto drawn = std::random_device{}();
        std::printf("seed %u\n", drawn);
        return drawn;
    }();
    return value;
}

TEST(Backoff, TheFirstTryIsAtOnce) {
    Backoff backoff(seed());
    EXPECT_EQ(backoff.next(), Millis(0));
    EXPECT_GT(backoff.next(), Millis(0));
}

TEST(Backoff, StepsDoubleUpToTheLongestEachWithJitter) {
    for (std::uint64_t i = 0; i < 200; ++i) {
        Backoff backoff(seed() + i);
        EXPECT_EQ(backoff.next(), Millis(0));
        for (auto step = Backoff::first; step < Backoff::longest; step *= 2) {
            const auto wait = backoff.next();
            EXPECT_GE(wait, step / 2);
            EXPECT_LE(wait, step);
        }
        for (int round = 0; round < 20; ++round) {
            const auto wait = backoff.next();
            EXPECT_GE(wait, Backoff::longest / 2);
            EXPECT_LE(wait, Backoff::longest);
        }
    }
}

TEST(Backoff, IsNeverLongerThanFiveSeconds) {
    Backoff backoff(seed());
    for (int i = 0; i < 10'000; ++i) ASSERT_LE(backoff.next(), Seconds(5));
}

TEST(Backoff, ClientsOfOneServerDoNotComeInTheSameInstant) {
    std::set<Millis> waits;
    for (std::uint64_t i = 0; i < 100; ++i) {
        Backoff backoff(seed() + i);
        for (int round = 0; round < 8; ++round) (void)backoff.next();
        waits.insert(backoff.next());
    }
    EXPECT_GT(waits.size(), 50u);
}

TEST(Backoff, StartsAnewAfterASessionThatWorked) {
    Backoff backoff(seed());
    for (int i = 0; i < 10; ++i) (void)backoff.next();
    backoff.reset();
    EXPECT_EQ(backoff.next(), Millis(0));
    EXPECT_LE(backoff.next(), Backoff::first);
}

}  // namespace
}  // namespace tunnel::client
