#include "common/core/clock.hpp"

#include <gmock/gmock.h>

#include <limits>

namespace tunnel {
namespace {

using ::testing::HasSubstr;

WallTime at(std::int64_t seconds) {
    return WallTime(Seconds(seconds));
}

TEST(Duration, ReadsEveryUnit) {
    EXPECT_EQ(parse_duration("500ms"), Millis(500));
    EXPECT_EQ(parse_duration("15s"), Seconds(15));
    EXPECT_EQ(parse_duration("10m"), std::chrono::minutes(10));
    EXPECT_EQ(parse_duration("2h"), std::chrono::hours(2));
    EXPECT_EQ(parse_duration("30d"), std::chrono::hours(720));
    EXPECT_EQ(parse_duration("0s"), Millis(0));
}

TEST(Duration, RefusesOthersAndNamesTheUnits) {
    for (const auto* bad : {"", "15", "s", "-5s", "+5s", "1.5s", "15 s", " 15s", "15s ", "15S", "15sec",
                            "1h30m", "99999999999999999999s"}) {
        const auto duration = parse_duration(bad);
        ASSERT_FALSE(duration) << bad;
        EXPECT_THAT(duration.error().message, HasSubstr("ms, s, m, h, d"));
        EXPECT_THAT(duration.error().message, HasSubstr(bad));
    }
}

TEST(Duration, DoesNotOverflow) {
    EXPECT_FALSE(parse_duration("9223372036854775807s"));
    EXPECT_FALSE(parse_duration("9223372036854775807d"));
    EXPECT_EQ(parse_duration("9223372036854775807ms"), Millis(std::numeric_limits<std::int64_t>::max()));
}

TEST(Duration, FormatsTheShortestSpelling) {
    EXPECT_EQ(format_duration(Millis(0)), "0s");
    EXPECT_EQ(format_duration(Millis(999)), "999ms");
    EXPECT_EQ(format_duration(Millis(15'000)), "15s");
    EXPECT_EQ(format_duration(Millis(90'000)), "90s");
    EXPECT_EQ(format_duration(std::chrono::minutes(60)), "1h");
    EXPECT_EQ(format_duration(std::chrono::hours(36)), "36h");
    EXPECT_EQ(format_duration(std::chrono::hours(48)), "2d");
    for (const auto* text : {"0s", "1ms", "15s", "10m", "2h", "30d", "1500ms"})
        EXPECT_EQ(format_duration(parse_duration(text).value()), text);
}

TEST(Utc, FormatsToTheSecond) {
    EXPECT_EQ(format_utc(at(0)), "1970-01-01T00:00:00Z");
    EXPECT_EQ(format_utc(at(1'795'293'070)), "2026-11-21T20:31:10Z");
    EXPECT_EQ(format_utc(at(10) + Millis(999)), "1970-01-01T00:00:10Z");
}

TEST(Expiry, ReadsDatesTimesAndDurations) {
    const auto now = at(1'000'000'000);
    EXPECT_EQ(format_utc(parse_expiry("2027-01-31T12:00:00Z", now).value()), "2027-01-31T12:00:00Z");
    EXPECT_EQ(format_utc(parse_expiry("2027-01-31", now).value()), "2027-02-01T00:00:00Z");
    EXPECT_EQ(parse_expiry("30d", now).value(), now + std::chrono::hours(720));
    EXPECT_EQ(format_utc(parse_expiry("2028-02-29", now).value()), "2028-03-01T00:00:00Z");
}

TEST(Expiry, RefusesDaysThatDoNotExist) {
    const auto now = at(1'000'000'000);
    for (const auto* bad :
         {"2027-02-29", "2027-02-30", "2027-04-31", "2027-13-01", "2027-00-10", "2027-01-32",
          "2027-01-31T24:00:00Z", "2027-01-31T12:60:00Z", "2027-01-31T12:00:60Z"})
        EXPECT_FALSE(parse_expiry(bad, now)) << bad;
}

TEST(Expiry, RefusesOtherFormsAndShowsTheRightOnes) {
    const auto now = at(1'000'000'000);
    for (const auto* bad : {"", "tomorrow", "31.01.2027", "2027-01-31T12:00:00", "2027-01-31 12:00:00",
                            "2027-01-31T12:00:00+01:00", "2027-01-31x", "30"}) {
        const auto time = parse_expiry(bad, now);
        ASSERT_FALSE(time) << bad;
        EXPECT_THAT(time.error().message, HasSubstr("2027-01-31"));
    }
    EXPECT_FALSE(parse_expiry(std::string_view("2027-01-31\0x", 12), now)) << "an embedded zero";
}

TEST(Expiry, StaysWithinWhatTheClockCanHold) {
    const auto now = at(1'000'000'000);
    EXPECT_FALSE(parse_expiry("9999-12-31", now));
    EXPECT_FALSE(parse_expiry("0001-01-01", now));
    EXPECT_FALSE(parse_expiry("36501d", now));
    EXPECT_TRUE(parse_expiry("36500d", now));
    EXPECT_TRUE(parse_expiry("2100-01-01", now));
}

TEST(FormatBytes, IsExactBelowAKibibyteAndRoundedAbove) {
    EXPECT_EQ(format_bytes(0), "0 B");
    EXPECT_EQ(format_bytes(1023), "1023 B");
    EXPECT_EQ(format_bytes(1024), "1.0 KiB");
    EXPECT_EQ(format_bytes(1536), "1.5 KiB");
    EXPECT_EQ(format_bytes(1024 * 1024 - 1), "1.0 MiB");
    EXPECT_EQ(format_bytes(5ULL << 30), "5.0 GiB");
    EXPECT_EQ(format_bytes(2048ULL << 40), "2048.0 TiB");
    EXPECT_EQ(format_bytes(std::numeric_limits<std::uint64_t>::max()), "16777216.0 TiB");
}

}  // namespace
}  // namespace tunnel
