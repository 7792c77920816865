#include "tunnel-server/pool/pool_size.hpp"

#include <gtest/gtest.h>

namespace tunnel::server {
namespace {

class PoolSizeTest : public testing::Test {
  protected:
    void visitors(std::size_t per_second, int seconds) {
        for (int i = 0; i < seconds * 10; ++i) {
            now += Millis(100);
            size.note_visitors(per_second / 10, now);
        }
    }
    TimePoint now = Clock::now();
    PoolSize size{{2, 64}};
};

TEST_F(PoolSizeTest, AClientWhomNobodyVisitsHasTheFloor) {
    EXPECT_EQ(size.wanted(now), 2u);
}

TEST_F(PoolSizeTest, GrowsWithTheVisitorsAndTheTimeOfADial) {
    for (int i = 0; i < 100; ++i) size.note_dial_time(Millis(100));
    visitors(50, 10);
    const auto near = size.wanted(now);
    EXPECT_GE(near, 2u + 5u);  // those that come within one dial
    for (int i = 0; i < 100; ++i) size.note_dial_time(Millis(300));
    EXPECT_GT(size.wanted(now), near);
}

TEST_F(PoolSizeTest, AFewVisitorsNearbyNeedNoMoreThanTheFloor) {
    for (int i = 0; i < 100; ++i) size.note_dial_time(Millis(1));
    visitors(10, 10);
    EXPECT_EQ(size.wanted(now), 2u);
}

TEST_F(PoolSizeTest, NeverPassesTheCeiling) {
    for (int i = 0; i < 100; ++i) size.note_dial_time(Seconds(100));
    visitors(100'000, 10);
    EXPECT_EQ(size.wanted(now), 64u);
    size.set_limits({0, 0});
    EXPECT_EQ(size.wanted(now), 0u);
}

TEST_F(PoolSizeTest, ShrinksToTheFloorWhenVisitorsStayAway) {
    for (int i = 0; i < 100; ++i) size.note_dial_time(Millis(200));
    visitors(1000, 5);
    ASSERT_EQ(size.wanted(now), 64u);
    EXPECT_EQ(size.wanted(now + Seconds(60)), 2u);
}

}  // namespace
}  // namespace tunnel::server
