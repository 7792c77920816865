#include "tunnel-server/listen/admission.hpp"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace tunnel::server {
namespace {

IpAddress ip(std::string_view text) {
    return *parse_ip(text);
}

TEST(Admission, LimitsTheTotal) {
    const auto admission = std::make_shared<Admission>(Admission::Limits{2, 2});
    auto a = admission->enter(ip("192.0.2.1"));
    auto b = admission->enter(ip("192.0.2.2"));
    EXPECT_TRUE(a);
    EXPECT_TRUE(b);
    EXPECT_FALSE(admission->enter(ip("192.0.2.3")));
    a.leave();
    EXPECT_FALSE(a);
    EXPECT_TRUE(admission->enter(ip("192.0.2.3")));
}

TEST(Admission, LimitsEachAddressAlone) {
    const auto admission = std::make_shared<Admission>(Admission::Limits{10, 1});
    const auto a = admission->enter(ip("192.0.2.1"));
    EXPECT_TRUE(a);
    EXPECT_FALSE(admission->enter(ip("192.0.2.1")));
    EXPECT_TRUE(admission->enter(ip("192.0.2.2")));
}

TEST(Admission, AnAddressRefusedForItselfTakesNoPlaceOfOthers) {
    const auto admission = std::make_shared<Admission>(Admission::Limits{2, 1});
    const auto a = admission->enter(ip("192.0.2.1"));
    for (int i = 0; i < 5; ++i) EXPECT_FALSE(admission->enter(ip("192.0.2.1")));
    EXPECT_TRUE(admission->enter(ip("192.0.2.2")));
}

TEST(Admission, CountsAVisitorOnADualStackListenerAsOnAnIpv4One) {
    const auto admission = std::make_shared<Admission>(Admission::Limits{10, 1});
    const auto a = admission->enter(ip("192.0.2.1"));
    EXPECT_FALSE(admission->enter(ip("::ffff:192.0.2.1")));
}

TEST(Admission, APlaceIsGivenBackWhenItGoes) {
    const auto admission = std::make_shared<Admission>(Admission::Limits{1, 1});
    {
        const auto place = admission->enter(ip("::1"));
        EXPECT_TRUE(place);
        EXPECT_FALSE(admission->enter(ip("::1")));
    }
    EXPECT_TRUE(admission->enter(ip("::1")));
}

TEST(Admission, AMovedPlaceIsGivenBackOnce) {
    const auto admission = std::make_shared<Admission>(Admission::Limits{2, 2});
    auto first = admission->enter(ip("::1"));
    {
        Admission::Place second(std::move(first));
        EXPECT_TRUE(second);
        Admission::Place third;
        third = std::move(second);
        EXPECT_TRUE(third);
        first.leave();
        second.leave();
        const auto other = admission->enter(ip("::1"));
        EXPECT_TRUE(other);
        EXPECT_FALSE(admission->enter(ip("::1"))) << "the moved-from places gave the place back";
    }
    const auto a = admission->enter(ip("::1"));
    const auto b = admission->enter(ip("::1"));
    EXPECT_TRUE(a);
    EXPECT_TRUE(b);
    EXPECT_FALSE(admission->enter(ip("::1")));
}

TEST(Admission, AssigningToATakenPlaceGivesItsOwnBack) {
    const auto admission = std::make_shared<Admission>(Admission::Limits{2, 1});
    auto place = admission->enter(ip("192.0.2.1"));
    place = admission->enter(ip("192.0.2.2"));
    EXPECT_TRUE(admission->enter(ip("192.0.2.1")));
    EXPECT_FALSE(admission->enter(ip("192.0.2.2")));
}

TEST(Admission, NewLimitsCountThoseWhoAreThere) {
    const auto admission = std::make_shared<Admission>(Admission::Limits{4, 4});
    auto a = admission->enter(ip("::1"));
    auto b = admission->enter(ip("::1"));
    admission->set_limits({1, 4});
    EXPECT_FALSE(admission->enter(ip("::1")));
    a.leave();
    EXPECT_FALSE(admission->enter(ip("::1")));
    b.leave();
    EXPECT_TRUE(admission->enter(ip("::1")));
}

TEST(Admission, APlaceMayOutliveItsOwnersHandle) {
    Admission::Place place;
    {
        const auto admission = std::make_shared<Admission>(Admission::Limits{1, 1});
        place = admission->enter(ip("::1"));
    }
    EXPECT_TRUE(place);
    place.leave();
}

TEST(Admission, IsSafeFromManyThreads) {
    const auto admission = std::make_shared<Admission>(Admission::Limits{64, 64});
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&, address = ip("192.0.2." + std::to_string(t))] {
            for (int i = 0; i < 2000; ++i) {
                auto place = admission->enter(address);
                if (i % 2 == 0) place.leave();
            }
        });
    }
    for (auto& thread : threads) thread.join();
    std::vector<Admission::Place> places;
    for (int i = 0; i < 64; ++i) places.push_back(admission->enter(ip("::1")));
    for (const auto& place : places) EXPECT_TRUE(place);
}

}  // namespace
}  // namespace tunnel::server
