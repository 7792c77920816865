#include "common/wire/mtu_search.hpp"

#include <gtest/gtest.h>

namespace tunnel::wire {
namespace {

// A path of a given size, driven in steps of 50 ms.
struct Path {
    explicit Path(std::size_t passes_up_to) : mtu(passes_up_to) {}
    std::size_t mtu;
    MtuSearch search{65'507};
    TimePoint now{Seconds(1000)};
    int probes = 0;
    std::size_t largest_probe = 0;
    bool lossy = false;  // every second probe is lost

    void run(Clock::duration duration) {
        for (const auto end = now + duration; now < end; now += Millis(50)) {
            const auto size = search.probe(now);
            if (!size) continue;
            ++probes;
            largest_probe = std::max(largest_probe, *size);
            if (*size <= mtu && (!lossy || probes % 2 == 0)) search.passed(*size, now);
        }
    }
};

TEST(MtuSearch, BeginsWithWhatPassesEverywhere) {
    EXPECT_EQ(MtuSearch(65'507).packet_size(), MtuSearch::base);
    EXPECT_LE(MtuSearch::base + 48, 1280U);
}

TEST(MtuSearch, FindsTheSizesOfCommonLinksExactly) {
    for (const std::size_t mtu : {1392U, 1452U, 1472U, 8952U, 65'507U}) {
        Path path(mtu);
        path.run(Seconds(40));
        EXPECT_GT(path.search.packet_size() + MtuSearch::precision, mtu) << mtu;
        EXPECT_LE(path.search.packet_size(), mtu);
        EXPECT_FALSE(path.search.searching());
    }
}

TEST(MtuSearch, FindsAnySizeToWithinItsPrecision) {
    for (const std::size_t mtu : {1200U, 1216U, 1300U, 1460U, 2000U, 5000U, 30'000U}) {
        Path path(mtu);
        path.run(Seconds(60));
        EXPECT_LE(path.search.packet_size(), mtu);
        EXPECT_GE(path.search.packet_size() + MtuSearch::precision, mtu);
        EXPECT_FALSE(path.search.searching()) << mtu;
    }
}

TEST(MtuSearch, AUsualPathIsUsedInFullWithinTheFirstSecond) {
    Path path(1472);
    path.run(Millis(500));
    EXPECT_EQ(path.search.packet_size(), 1472U);
}

TEST(MtuSearch, LostProbesDoNotMislead) {
    Path path(1472);
    path.lossy = true;
    path.run(Seconds(60));
    EXPECT_EQ(path.search.packet_size(), 1472U);
}

TEST(MtuSearch, NeverProbesBeyondTheLargest) {
    Path path(65'507);
    path.search = MtuSearch(1472);
    path.run(Seconds(60));
    EXPECT_EQ(path.search.packet_size(), 1472U);
    EXPECT_EQ(path.largest_probe, 1472U);
}

TEST(MtuSearch, APathThatBecameNarrowIsNoticed) {
    Path path(1472);
    path.run(Seconds(40));
    path.mtu = 1300;
    path.run(Seconds(20));
    EXPECT_LE(path.search.packet_size(), 1300U);
    path.run(Seconds(20));
    EXPECT_GE(path.search.packet_size() + MtuSearch::precision, 1300U);
}

TEST(MtuSearch, APathThatBecameWideIsFoundAfterAWhile) {
    Path path(1300);
    path.run(Seconds(40));
    path.mtu = 1472;
    path.run(MtuSearch::raise_every + Seconds(40));
    EXPECT_EQ(path.search.packet_size(), 1472U);
}

TEST(MtuSearch, WhatTheSystemRefusesIsNotTriedAgain) {
    MtuSearch search(65'507);
    TimePoint now{Seconds(1000)};
    const auto size = search.probe(now);
    ASSERT_TRUE(size);
    search.refused(*size);
    for (int i = 0; i < 200; ++i) {
        const auto next = search.probe(now += Millis(100));
        if (next) {
            EXPECT_LT(*next, *size);
        }
    }
}

TEST(MtuSearch, AnswersToProbesNeverSentChangeNothingBeyondTheLargest) {
    MtuSearch search(1472);
    search.passed(9000, TimePoint{Seconds(1)});
    EXPECT_EQ(search.packet_size(), MtuSearch::base);
}

TEST(MtuSearch, ASettledPathIsProbedRarely) {
    Path path(1472);
    path.run(Seconds(40));
    path.probes = 0;
    path.run(Seconds(60));
    EXPECT_LE(path.probes, 13);
    EXPECT_GE(path.probes, 10);
}

}  // namespace
}  // namespace tunnel::wire
