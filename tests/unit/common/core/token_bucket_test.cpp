#include "common/core/token_bucket.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <thread>
#include <vector>

namespace tunnel {
namespace {

const TimePoint start{Seconds(1000)};

TEST(TokenBucket, WithoutLimitEverythingIsThere) {
    TokenBucket bucket;
    EXPECT_TRUE(bucket.unlimited());
    EXPECT_EQ(bucket.take(start, 1'000'000'000'000), 1'000'000'000'000U);
    EXPECT_EQ(bucket.time_until(start, 5), Clock::duration::zero());
}

TEST(TokenBucket, BeginsFullAndRefillsUpToTheBurst) {
    TokenBucket bucket({1000, 200});
    EXPECT_EQ(bucket.available(start), 200U);
    EXPECT_EQ(bucket.take(start, 150), 150U);
    EXPECT_EQ(bucket.take(start, 150), 50U);
    EXPECT_EQ(bucket.take(start, 150), 0U);
    EXPECT_EQ(bucket.time_until(start, 10), Millis(10));
    EXPECT_EQ(bucket.available(start + Millis(10)), 10U);
    EXPECT_EQ(bucket.available(start + Seconds(100)), 200U);
}

TEST(TokenBucket, NoneWhereFewerThanTheLeastAreThere) {
    TokenBucket bucket({1000, 200});
    EXPECT_EQ(bucket.take(start, 195), 195U);
    EXPECT_EQ(bucket.take(start, 100, 10), 0U);
    EXPECT_EQ(bucket.take(start + Millis(5), 100, 10), 10U);
}

TEST(TokenBucket, MoreThanItHoldsIsGivenOnCredit) {
    TokenBucket bucket({1000, 200});
    EXPECT_EQ(bucket.take(start, 10), 10U);
    EXPECT_EQ(bucket.take(start, 1000, 1000), 0U) << "it is not full";
    EXPECT_EQ(bucket.take(start + Millis(10), 1000, 1000), 1000U);
    EXPECT_EQ(bucket.take(start + Millis(809), 1), 0U) << "what was given is owed";
    EXPECT_EQ(bucket.available(start + Millis(910)), 100U);
}

TEST(TokenBucket, WhatIsGivenBackIsThereAgain) {
    TokenBucket bucket({1000, 200});
    EXPECT_EQ(bucket.take(start, 200), 200U);
    bucket.give_back(120);
    EXPECT_EQ(bucket.available(start), 120U);
}

TEST(TokenBucket, TheRateHoldsOverTenSecondsAtEverySize) {
    for (const std::uint64_t rate : {10'000ULL, 1'000'000ULL, 125'000'000ULL, 1'250'000'000ULL}) {
        for (const std::uint64_t lease : {10'000ULL, 65'536ULL}) {
            TokenBucket bucket({rate, std::max<std::uint64_t>(rate / 50, lease)});
            std::uint64_t passed = 0;
            bucket.take(start, std::numeric_limits<std::uint64_t>::max());
            for (auto now = start; now <= start + Seconds(10); now += Millis(4)) {
                while (const auto taken = bucket.take(now, lease)) passed += taken;
            }
            EXPECT_NEAR(static_cast<double>(passed), static_cast<double>(rate) * 10,
                        static_cast<double>(rate) * 0.01 + 65'536)
                << rate << " by " << lease;
        }
    }
}

TEST(TokenBucket, ANewRateHoldsAtOnce) {
    TokenBucket bucket({1000, 100});
    EXPECT_EQ(bucket.take(start, 100), 100U);
    bucket.set_rate({10'000, 1000});
    EXPECT_EQ(bucket.rate(), (TokenBucket::Rate{10'000, 1000}));
    EXPECT_EQ(bucket.take(start + Millis(200), 5000), 1000U);
    bucket.set_rate({});
    EXPECT_EQ(bucket.take(start + Millis(200), 5000), 5000U);
}

TEST(TokenBucket, HugeNumbersDoNotOverflow) {
    constexpr auto most = std::numeric_limits<std::uint64_t>::max();
    TokenBucket bucket({1, most});
    EXPECT_GT(bucket.take(start, most), 0U);
    TokenBucket fast({most, most});
    EXPECT_EQ(fast.take(start, 1'000'000'000'000), 1'000'000'000'000U);
    EXPECT_EQ(TokenBucket({most, 1}).take(start, 10), 1U);
}

TEST(TokenBucket, ThreadsTakeNoTokenTwice) {
    TokenBucket bucket({1, 100'000});
    std::atomic<std::uint64_t> taken{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&] {
            while (const auto some = bucket.take(start, 7)) taken += some;
        });
    }
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(taken, 100'000U);
}

}  // namespace
}  // namespace tunnel
