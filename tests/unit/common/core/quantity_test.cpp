#include "common/core/quantity.hpp"

#include <gmock/gmock.h>

#include <random>

namespace tunnel {
namespace {

using ::testing::HasSubstr;

TEST(Size, ReadsEveryUnit) {
    EXPECT_EQ(parse_size("0B"), 0U);
    EXPECT_EQ(parse_size("500GB"), 500'000'000'000U);
    EXPECT_EQ(parse_size("64KiB"), 65'536U);
    EXPECT_EQ(parse_size("3TiB"), 3U * (std::uint64_t{1} << 40));
}

TEST(Size, RefusesOthersAndNamesTheUnits) {
    for (const auto* bad :
         {"", "5", "GB", "-5GB", "1.5GB", "5 GB", "5gb", "5GBs", "99999999999999999999B", "9999999999TB"}) {
        const auto size = parse_size(bad);
        ASSERT_FALSE(size) << bad;
        EXPECT_THAT(size.error().message, HasSubstr(bad));
        EXPECT_THAT(size.error().message, HasSubstr("GiB"));
    }
}

TEST(Speed, ReadsBitsAndBytes) {
    EXPECT_EQ(parse_speed("100Mbit"), 12'500'000U);
    EXPECT_EQ(parse_speed("1Gbit"), 125'000'000U);
    EXPECT_EQ(parse_speed("8kbit"), 1'000U);
    EXPECT_EQ(parse_speed("5MiB"), 5U << 20);
}

TEST(Speed, RefusesOthers) {
    for (const auto* bad : {"", "100", "100mbit", "100Mbit/s", "7kbit", "0Mbit", "999B"}) {
        const auto speed = parse_speed(bad);
        ASSERT_FALSE(speed) << bad;
        EXPECT_THAT(speed.error().message, HasSubstr("100Mbit"));
    }
}

TEST(Quantity, TheShortestSpellingIsWritten) {
    EXPECT_EQ(format_size(65'536), "64KiB");
    EXPECT_EQ(format_size(500'000'000'000), "500GB");
    EXPECT_EQ(format_size(0), "0B");
    EXPECT_EQ(format_speed(12'500'000), "100Mbit");
    EXPECT_EQ(format_speed(5U << 20), "5MiB");
}

TEST(Quantity, WhatIsWrittenIsReadBack) {
    const auto seed = std::random_device()();
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    for (int i = 0; i < 10'000; ++i) {
        const auto value = random() >> (2 + random() % 60);
        EXPECT_EQ(parse_size(format_size(value)), value);
        if (value >= 1000) {
            EXPECT_EQ(parse_speed(format_speed(value)), value) << format_speed(value);
        }
    }
}

}  // namespace
}  // namespace tunnel
