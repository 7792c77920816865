#include "tunnel-server/access/monthly_quota.hpp"

#include <gtest/gtest.h>

namespace tunnel::server {
namespace {

using Event = MonthlyQuota::Event;
using std::chrono::sys_days;

WallTime at(int year, unsigned month, unsigned day) {
    return sys_days(std::chrono::year(year) / std::chrono::month(month) / std::chrono::day(day));
}

TEST(MonthlyQuota, MonthsAreThoseOfTheCalendarInUtc) {
    EXPECT_EQ(month_of(at(1970, 1, 1)), 0);
    EXPECT_EQ(month_of(at(2026, 12, 1) - Seconds(1)), month_of(at(2026, 11, 1)));
    EXPECT_EQ(month_of(at(2027, 1, 1)), month_of(at(2026, 12, 31)) + 1);
    EXPECT_EQ(month_name(month_of(at(2026, 2, 28))), "2026-02");
    EXPECT_EQ(end_of(month_of(at(2024, 2, 3))), at(2024, 3, 1));
    EXPECT_EQ(end_of(month_of(at(2024, 12, 3))), at(2025, 1, 1));
}

TEST(MonthlyQuota, WarnsOnceAndStopsOnce) {
    MonthlyQuota quota;
    quota.set_limit(1000);
    const auto now = at(2026, 11, 5);
    EXPECT_EQ(quota.add(799, now), Event::none);
    EXPECT_EQ(quota.add(1, now), Event::warning);
    EXPECT_EQ(quota.add(199, now), Event::none);
    EXPECT_FALSE(quota.used_up(now));
    EXPECT_EQ(quota.add(1, now), Event::used_up);
    EXPECT_TRUE(quota.used_up(now));
    EXPECT_EQ(quota.add(500, now), Event::none);
    EXPECT_EQ(quota.use(now).bytes, 1500U);
}

TEST(MonthlyQuota, ANewMonthBeginsAtNought) {
    MonthlyQuota quota;
    quota.set_limit(1000);
    EXPECT_EQ(quota.add(5000, at(2026, 11, 30)), Event::used_up);
    EXPECT_FALSE(quota.used_up(at(2026, 12, 1)));
    EXPECT_EQ(quota.add(0, at(2026, 12, 1)), Event::renewed);
    EXPECT_EQ(quota.add(10, at(2026, 12, 1)), Event::none);
    EXPECT_EQ(quota.use(at(2026, 12, 1)).bytes, 10U);
    EXPECT_EQ(quota.add(5000, at(2026, 12, 2)), Event::used_up);
    EXPECT_EQ(quota.add(5000, at(2027, 1, 2)), Event::used_up);
}

TEST(MonthlyQuota, AHigherLimitMakesRoomAtOnce) {
    MonthlyQuota quota;
    quota.set_limit(1000);
    const auto now = at(2026, 11, 5);
    EXPECT_EQ(quota.add(1000, now), Event::used_up);
    quota.set_limit(10'000);
    EXPECT_FALSE(quota.used_up(now));
    EXPECT_EQ(quota.add(1, now), Event::renewed);
    quota.set_limit(0);
    EXPECT_EQ(quota.add(1'000'000, now), Event::none);
    EXPECT_FALSE(quota.used_up(now));
    EXPECT_EQ(quota.use(now).bytes, 1'001'001U);
}

TEST(MonthlyQuota, WhatWasKeptCountsAfterARestart) {
    const auto now = at(2026, 11, 5);
    MonthlyQuota quota(MonthlyUse{month_of(now), 900, true});
    quota.set_limit(1000);
    EXPECT_EQ(quota.add(50, now), Event::none);
    EXPECT_EQ(quota.add(50, now), Event::used_up);
    MonthlyQuota old(MonthlyUse{month_of(now) - 1, 900, true});
    EXPECT_EQ(old.use(now).bytes, 0U);
    EXPECT_FALSE(old.use(now).warned);
}

TEST(MonthlyQuota, CountsNoFurtherThanItsNumbersGo) {
    MonthlyQuota quota;
    const auto now = at(2026, 11, 5);
    quota.add(UINT64_MAX, now);
    quota.add(UINT64_MAX, now);
    EXPECT_EQ(quota.use(now).bytes, std::uint64_t{INT64_MAX});
}

}  // namespace
}  // namespace tunnel::server
