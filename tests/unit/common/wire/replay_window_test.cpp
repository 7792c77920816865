#include "common/wire/replay_window.hpp"

#include <gtest/gtest.h>

#include <set>

#include "tests/unit/common/wire/seeded_random.hpp"

namespace tunnel::wire {
namespace {

TEST(ReplayWindow, IsAtLeastAsWideAsPromised) {
    EXPECT_GE(ReplayWindow::width, 2048U);
}

TEST(ReplayWindow, EachCounterIsTakenOnce) {
    ReplayWindow window;
    for (std::uint64_t counter : {0, 1, 2, 5, 3, 4, 100, 99}) {
        EXPECT_TRUE(window.fresh(counter)) << counter;
        EXPECT_TRUE(window.accept(counter)) << counter;
        EXPECT_FALSE(window.fresh(counter)) << counter;
        EXPECT_FALSE(window.accept(counter)) << counter;
    }
}

TEST(ReplayWindow, WhatIsWithinTheWindowMayComeLateAndWhatIsBehindItMayNot) {
    ReplayWindow window;
    const std::uint64_t newest = 1'000'000;
    ASSERT_TRUE(window.accept(newest));
    EXPECT_TRUE(window.accept(newest - ReplayWindow::width + 1));
    EXPECT_FALSE(window.accept(newest - ReplayWindow::width));
    EXPECT_FALSE(window.accept(0));
}

TEST(ReplayWindow, AFirstCounterOfAnySizeIsTaken) {
    ReplayWindow window;
    const auto last = ~std::uint64_t{0};
    EXPECT_TRUE(window.accept(last - 1));
    EXPECT_TRUE(window.accept(last));
    EXPECT_FALSE(window.accept(last));
    EXPECT_TRUE(window.accept(last - 2));
}

TEST(ReplayWindow, ALongJumpForgetsNothingItShouldKeep) {
    ReplayWindow window;
    for (std::uint64_t counter = 0; counter < 200; ++counter) ASSERT_TRUE(window.accept(counter));
    ASSERT_TRUE(window.accept(1'000'000));
    for (std::uint64_t counter = 0; counter < 200; ++counter) ASSERT_FALSE(window.accept(counter));
    // Bits of the words that were passed over are clear.
    for (std::uint64_t behind = 1; behind < ReplayWindow::width; ++behind)
        ASSERT_TRUE(window.accept(1'000'000 - behind)) << behind;
}

TEST(ReplayWindow, AgreesWithASetOfNumbers) {
    SeededRandom random;
    for (int round = 0; round < 20; ++round) {
        ReplayWindow window;
        std::set<std::uint64_t> seen;
        std::uint64_t base = random.below(5000);
        for (int i = 0; i < 5000; ++i) {
            if (random.below(100) == 0) base += random.below(3 * ReplayWindow::width);
            const auto counter = base + random.below(2 * ReplayWindow::width);
            const bool behind =
                !seen.empty() && *seen.rbegin() > counter && *seen.rbegin() - counter >= ReplayWindow::width;
            const bool expected = !behind && !seen.contains(counter);
            ASSERT_EQ(window.accept(counter), expected) << "seed " << random.seed() << " counter " << counter;
            if (expected) seen.insert(counter);
        }
    }
}

}  // namespace
}  // namespace tunnel::wire
