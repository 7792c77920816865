#include "tunnel-server/access/visitor_rate.hpp"

#include <gtest/gtest.h>

namespace tunnel::server {
namespace {

using Verdict = VisitorRate::Verdict;

const TimePoint start{Seconds(1000)};

IpAddress ip(std::string_view text) {
    return *parse_ip(text);
}

// How many of `count` visitors that come at once get in.
int admitted(VisitorRate& rate, const IpAddress& visitor, TimePoint now, int count) {
    int in = 0;
    for (int i = 0; i < count; ++i) in += rate.admit(visitor, now) == Verdict::admitted ? 1 : 0;
    return in;
}

TEST(VisitorRate, WithoutLimitsEverybodyIsLetIn) {
    VisitorRate rate({});
    EXPECT_EQ(admitted(rate, ip("203.0.113.7"), start, 1000), 1000);
}

TEST(VisitorRate, InAllOverTenSeconds) {
    VisitorRate rate({50, 0});
    int in = 0;
    for (int ms = 0; ms < 10'000; ++ms) {
        auto visitor = ip("10.0.0.0");
        visitor.bytes[14] = static_cast<std::uint8_t>(ms >> 8);
        visitor.bytes[15] = static_cast<std::uint8_t>(ms);
        in += rate.admit(visitor, start + Millis(ms)) == Verdict::admitted ? 1 : 0;
    }
    EXPECT_GE(in, 50 + 499);  // what was saved, and ten seconds' worth
    EXPECT_LE(in, 50 + 500);
    EXPECT_EQ(rate.admit(ip("10.9.9.9"), start + Seconds(10)), Verdict::admitted);
    EXPECT_EQ(rate.admit(ip("10.9.9.9"), start + Seconds(10)), Verdict::too_many);
}

TEST(VisitorRate, OneAddressIsHeldBackAndTheOthersAreNot) {
    VisitorRate rate({0, 5});
    EXPECT_EQ(admitted(rate, ip("203.0.113.7"), start, 100), 5);
    EXPECT_EQ(rate.admit(ip("203.0.113.7"), start), Verdict::too_many_of_address);
    EXPECT_EQ(admitted(rate, ip("203.0.113.8"), start, 100), 5);
    EXPECT_EQ(admitted(rate, ip("203.0.113.7"), start + Millis(399), 100), 1);
    EXPECT_EQ(admitted(rate, ip("203.0.113.7"), start + Seconds(5), 100), 5);
}

TEST(VisitorRate, AnIpv6AddressCountsByItsSlash64) {
    VisitorRate rate({0, 2});
    EXPECT_EQ(admitted(rate, ip("2001:db8:0:1::1"), start, 1), 1);
    EXPECT_EQ(admitted(rate, ip("2001:db8:0:1:ffff::2"), start, 1), 1);
    EXPECT_EQ(admitted(rate, ip("2001:db8:0:1::3"), start, 1), 0);
    EXPECT_EQ(admitted(rate, ip("2001:db8:0:2::1"), start, 3), 2);
}

TEST(VisitorRate, AFloodOfOneAddressLeavesTheWholeToOthers) {
    VisitorRate rate({10, 2});
    EXPECT_EQ(admitted(rate, ip("203.0.113.7"), start, 1000), 2);
    for (int i = 0; i < 8; ++i) {
        auto other = ip("10.0.0.1");
        other.bytes[15] = static_cast<std::uint8_t>(i);
        EXPECT_EQ(rate.admit(other, start), Verdict::admitted);
    }
    EXPECT_EQ(rate.admit(ip("10.1.0.1"), start), Verdict::too_many);
}

TEST(VisitorRate, MoreAddressesThanItRemembersAreStillLetIn) {
    VisitorRate rate({0, 1});
    for (std::size_t i = 0; i < 4 * VisitorRate::addresses; ++i) {
        auto visitor = ip("10.0.0.0");
        visitor.bytes[13] = static_cast<std::uint8_t>(i >> 16);
        visitor.bytes[14] = static_cast<std::uint8_t>(i >> 8);
        visitor.bytes[15] = static_cast<std::uint8_t>(i);
        ASSERT_EQ(rate.admit(visitor, start + std::chrono::microseconds(i)), Verdict::admitted);
    }
}

}  // namespace
}  // namespace tunnel::server
