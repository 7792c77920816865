#include "tunnel-server/pool/seat_pool.hpp"

#include <gtest/gtest.h>

namespace tunnel::server {
namespace {

constexpr std::size_t plenty = 1000;

class SeatPoolTest : public testing::Test {
  protected:
    std::size_t needed(std::size_t waiting, std::size_t room = plenty) {
        const auto need = pool.need(waiting, room, now);
        return need.for_waiting + need.ahead;
    }
    TimePoint now = Clock::now();
    SeatPool pool{{2, 64}, 2};
};

TEST_F(SeatPoolTest, TheFloorIsAskedForOnce) {
    EXPECT_EQ(needed(0), 2u);
    pool.note_asked(2, now);
    EXPECT_EQ(needed(0), 0u);
    pool.note_arrived(0, 1, now);
    pool.note_arrived(1, 1, now);
    EXPECT_EQ(needed(0), 0u);
    EXPECT_EQ(pool.ready(), 2);
}

TEST_F(SeatPoolTest, ABurstIsAskedForInOneGo) {
    EXPECT_EQ(needed(100), 102u);
    pool.note_asked(102, now);
    EXPECT_EQ(needed(100), 0u);
    EXPECT_EQ(needed(101), 1u);
}

TEST_F(SeatPoolTest, OneThatIsReadyOnceMoreIsNotOneThatWasAskedFor) {
    pool.note_asked(2, now);
    pool.note_again(0, 1);
    EXPECT_EQ(pool.asked(), 2u);
    EXPECT_EQ(pool.ready(), 1);
    EXPECT_EQ(needed(0), 0u);
}

TEST_F(SeatPoolTest, WhatIsTakenIsReplaced) {
    pool.note_asked(2, now);
    pool.note_arrived(0, 1, now);
    pool.note_arrived(0, 1, now);
    EXPECT_EQ(pool.worker_with_ready(), 0u);
    pool.note_gone(0);
    EXPECT_EQ(needed(0), 1u);
    pool.note_gone(0);
    EXPECT_EQ(needed(0), 2u);
    EXPECT_FALSE(pool.worker_with_ready());
}

TEST_F(SeatPoolTest, APromiseThatCouldNotBeKeptCountsForNothing) {
    pool.note_asked(1, now);
    pool.note_arrived(1, 1, now);
    pool.note_gone(1);  // promised to one visitor
    pool.note_gone(1);  // and taken by another meanwhile
    EXPECT_EQ(pool.ready(), -1);
    pool.note_missed(1, 1);
    EXPECT_EQ(pool.ready(), 0);
    EXPECT_EQ(needed(1), 3u);
}

TEST_F(SeatPoolTest, TheRoomBoundsOnlyWhatIsAskedForAheadOfNeed) {
    EXPECT_EQ(needed(5, 1), 6u);
    EXPECT_EQ(needed(5, 0), 5u);
}

TEST_F(SeatPoolTest, AfterAFailureNothingIsAskedForAheadOfNeedForAWhile) {
    pool.note_asked(2, now);
    pool.note_failed(2);
    pool.hold_off(now + Seconds(2));
    EXPECT_EQ(needed(0), 0u);
    EXPECT_EQ(needed(1), 1u);
    now += Seconds(2);
    EXPECT_EQ(needed(0), 2u);
}

TEST_F(SeatPoolTest, ASurplusIsClosedOnceItHasLastedForAWhile) {
    for (int i = 0; i < 5; ++i) pool.note_arrived(1, 1, now);
    EXPECT_EQ(pool.surplus(now).count, 0u);
    EXPECT_EQ(pool.surplus(now + Seconds(9)).count, 0u);
    const auto surplus = pool.surplus(now + Seconds(10));
    EXPECT_EQ(surplus.worker, 1u);
    EXPECT_EQ(surplus.count, 3u);
}

TEST_F(SeatPoolTest, ANewSessionBeginsWithNothing) {
    pool.note_asked(4, now);
    pool.note_arrived(0, 1, now);
    pool.restart();
    EXPECT_EQ(pool.ready(), 0);
    EXPECT_EQ(pool.asked(), 0u);
}

}  // namespace
}  // namespace tunnel::server
