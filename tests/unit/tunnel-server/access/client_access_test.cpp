#include "tunnel-server/access/client_access.hpp"

#include <gmock/gmock.h>

namespace tunnel::server {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class ClientAccessTest : public ::testing::Test {
  protected:
    void set(const std::vector<SettingText>& changes) {
        auto settings = access_.settings("home");
        const auto ok = change_settings(settings, changes);
        ASSERT_TRUE(ok) << ok.error().message;
        access_.set("home", settings);
    }
    // As if a relay had moved them.
    void pass(std::size_t bytes) {
        const auto in = access_.bandwidths("home").in;
        ASSERT_TRUE(in);
        net::Throttle throttle(queue_, {nullptr, in});
        throttle.used(bytes);
    }
    bool admits(const char* visitor) const {
        const auto address = *parse_ip(visitor);
        return admit({Gate{}, access_.gate("home")}, &address, Clock::now()).has_value();
    }

    asio::io_context context_;
    net::BandwidthQueue queue_{context_};
    std::vector<std::string> lines_;
    Log log_ = Log::to_function(LogLevel::debug, LogFormat::text,
                                [this](std::string_view line) { lines_.emplace_back(line); });
    ListBook lists_{log_};
    std::vector<std::string> changed_;
    std::vector<std::string> used_up_;
    std::vector<MonthlyUse> uses_;
    ClientAccess access_{log_,
                         lists_,
                         {[this](const std::string& client) { changed_.push_back(client); },
                          [this](const std::string& client) { used_up_.push_back(client); },
                          [this](const std::string&, const MonthlyUse& use) { uses_.push_back(use); }}};
    const WallTime now_ = std::chrono::system_clock::now();
};

TEST_F(ClientAccessTest, AClientWithoutSettingsCostsNothing) {
    access_.set("home", {});
    EXPECT_EQ(access_.gate("home").rules, nullptr);
    EXPECT_EQ(access_.bandwidths("home"), Bandwidths{});
    EXPECT_THAT(changed_, IsEmpty());
    EXPECT_EQ(access_.gate("nobody").rules, nullptr);
}

TEST_F(ClientAccessTest, WhatFencesMappingsIsToldToo) {
    set({{"max_mappings", {"5"}}});
    EXPECT_THAT(changed_, ElementsAre("home"));
    set({{"max_mappings", {"5"}}});
    EXPECT_THAT(changed_, ElementsAre("home")) << "nothing is another";
    EXPECT_EQ(access_.gate("home").rules, nullptr);
}

TEST_F(ClientAccessTest, SettingsApplyAtOnceAndAreTakenBack) {
    set({{"deny", {"203.0.113.0/24"}}, {"bandwidth_in", {"8Mbit"}}});
    EXPECT_THAT(changed_, ElementsAre("home"));
    EXPECT_FALSE(admits("203.0.113.7"));
    EXPECT_TRUE(admits("192.0.2.7"));
    const auto in = access_.bandwidths("home").in;
    EXPECT_EQ(in->rate(), (net::Bandwidth::Rate{1'000'000, 50'000}));
    EXPECT_EQ(access_.bandwidths("home").out, nullptr);
    set({{"bandwidth_in", {"16Mbit"}}});
    EXPECT_EQ(access_.bandwidths("home").in, in) << "running visitors go on with the same one";
    EXPECT_EQ(in->rate().per_second, 2'000'000U);
    set({{"deny", {}}, {"bandwidth_in", {}}});
    EXPECT_EQ(access_.gate("home").rules, nullptr);
    EXPECT_EQ(access_.bandwidths("home"), Bandwidths{});
}

TEST_F(ClientAccessTest, AQuotaWarnsStopsAndEndsVisitors) {
    set({{"monthly_traffic", {"1000B"}}});
    pass(799);
    access_.count(now_);
    EXPECT_THAT(lines_, IsEmpty());
    pass(1);
    access_.count(now_);
    ASSERT_EQ(lines_.size(), 1U);
    EXPECT_THAT(lines_[0], HasSubstr("traffic quota nearly used up"));
    EXPECT_TRUE(admits("192.0.2.7"));
    pass(200);
    access_.count(now_);
    EXPECT_THAT(lines_.back(), HasSubstr("traffic quota used up"));
    EXPECT_THAT(used_up_, ElementsAre("home"));
    const auto refused = admit({Gate{}, access_.gate("home")}, nullptr, Clock::now());
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error(), Refusal::quota);
    access_.count(end_of(month_of(now_)));
    EXPECT_TRUE(admits("192.0.2.7"));
    EXPECT_THAT(lines_.back(), HasSubstr("traffic quota renewed"));
    EXPECT_EQ(access_.use("home", end_of(month_of(now_))).bytes, 0U);
}

TEST_F(ClientAccessTest, AHigherQuotaLetsVisitorsInAtOnce) {
    set({{"monthly_traffic", {"1000B"}}});
    pass(1000);
    access_.count(now_);
    EXPECT_FALSE(admits("192.0.2.7"));
    set({{"monthly_traffic", {"2000B"}}});
    EXPECT_TRUE(admits("192.0.2.7"));
}

TEST_F(ClientAccessTest, UsesAreKeptWhenTheyChangeAndCountAfterARestart) {
    set({{"monthly_traffic", {"1000B"}}});
    access_.keep_uses(now_);
    EXPECT_THAT(uses_, IsEmpty());
    pass(300);
    access_.count(now_);
    access_.keep_uses(now_);
    access_.keep_uses(now_);
    EXPECT_THAT(uses_, ElementsAre(MonthlyUse{month_of(now_), 300, false}));
    ClientAccess next(log_, lists_,
                      {[](const auto&) {}, [](const auto&) {}, [](const auto&, const auto&) {}});
    next.load("home", {month_of(now_), 1000, true});
    next.set("home", access_.settings("home"));
    EXPECT_EQ(next.use("home", now_).bytes, 1000U);
    EXPECT_TRUE(next.gate("home").rules->closed);
}

TEST_F(ClientAccessTest, AListThatIsNotThereClosesTheGate) {
    set({{"deny", {"list:gone"}}});
    EXPECT_FALSE(admits("192.0.2.7"));
    ASSERT_FALSE(lines_.empty());
    EXPECT_THAT(lines_.back(), HasSubstr("there is no list"));
}

}  // namespace
}  // namespace tunnel::server
