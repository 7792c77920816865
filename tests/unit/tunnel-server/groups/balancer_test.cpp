#include "tunnel-server/groups/balancer.hpp"

#include <gtest/gtest.h>

#include <map>
#include <set>

namespace tunnel::server {
namespace {

const TimePoint now = Clock::now();

IpAddress visitor(std::size_t number) {
    return *parse_ip(fmt::format("198.51.{}.{}", number / 250 % 250, number % 250));
}

class Group {
  public:
    Group(Balance balance, std::vector<MemberOptions> options) {
        Balancer::Members members;
        for (auto& one : options) {
            members.push_back(std::make_shared<Member>(std::move(one)));
            members.back()->set_present(true);
        }
        balancer_ = std::make_unique<Balancer>(balance, std::move(members));
    }
    Member& operator[](std::size_t i) { return *balancer_->members()[i]; }
    std::string pick(std::size_t from = 0, TimePoint at = now) {
        const auto member = balancer_->pick(visitor(from), at);
        return member ? member->options().name : "none";
    }
    std::map<std::string, int> pick_many(std::size_t count) {
        std::map<std::string, int> picked;
        for (std::size_t i = 0; i < count; ++i) ++picked[pick(i)];
        return picked;
    }
    Balancer& balancer() { return *balancer_; }

  private:
    std::unique_ptr<Balancer> balancer_;
};

using Picked = std::map<std::string, int>;

TEST(Balancer, RoundRobinTakesTurns) {
    Group group(Balance::round_robin, {{"a"}, {"b"}, {"c"}});
    EXPECT_EQ(group.pick_many(30), (Picked{{"a", 10}, {"b", 10}, {"c", 10}}));
    EXPECT_NE(group.pick(), group.pick());
}

TEST(Balancer, RoundRobinFollowsTheWeightsWithoutRuns) {
    Group group(Balance::round_robin, {{"a", 3}, {"b", 1}});
    std::string order;
    for (int i = 0; i < 8; ++i) order += group.pick();
    EXPECT_EQ(order, "aabaaaba");
}

TEST(Balancer, LeastConnectionsGoesWhereFewestAre) {
    Group group(Balance::least_connections, {{"a"}, {"b"}, {"c"}});
    for (int i = 0; i < 2; ++i) group[0].visitor_came();
    group[1].visitor_came();
    EXPECT_EQ(group.pick(), "c");
    group[2].visitor_came();
    group[2].visitor_came();
    EXPECT_EQ(group.pick(), "b");
    group[0].visitor_went();
    group[0].visitor_went();
    EXPECT_EQ(group.pick(), "a");
}

TEST(Balancer, LeastConnectionsCountsByWeight) {
    Group group(Balance::least_connections, {{"a", 4}, {"b", 1}});
    group[0].visitor_came();
    group[0].visitor_came();
    EXPECT_EQ(group.pick(), "a") << "2 of 4 is less than 0 of 1 with the next one on it";
    group[0].visitor_came();
    group[0].visitor_came();
    EXPECT_EQ(group.pick(), "b");
}

TEST(Balancer, LeastConnectionsTakesTurnsBetweenEquals) {
    Group group(Balance::least_connections, {{"a"}, {"b"}});
    EXPECT_EQ(group.pick_many(10), (Picked{{"a", 5}, {"b", 5}}));
}

TEST(Balancer, AVisitorsAddressComesBackToItsMember) {
    Group group(Balance::visitor_address, {{"a"}, {"b"}, {"c"}});
    for (std::size_t i = 0; i < 100; ++i) EXPECT_EQ(group.pick(i), group.pick(i));
    for (const auto& [name, count] : group.pick_many(3000)) EXPECT_NEAR(count, 1000, 150) << name;
}

TEST(Balancer, ByAddressTheWeightsAreTheShares) {
    Group group(Balance::visitor_address, {{"a", 3}, {"b", 1}});
    EXPECT_NEAR(group.pick_many(4000)["a"], 3000, 200);
}

TEST(Balancer, ByAddressOnlyTheVisitorsOfAMemberThatGoesMove) {
    Group group(Balance::visitor_address, {{"a"}, {"b"}, {"c"}});
    std::vector<std::string> before;
    for (std::size_t i = 0; i < 500; ++i) before.push_back(group.pick(i));
    group[1].set_healthy(false, "its check fails");
    for (std::size_t i = 0; i < 500; ++i) {
        if (before[i] == "b")
            EXPECT_NE(group.pick(i), "b");
        else
            EXPECT_EQ(group.pick(i), before[i]);
    }
    group[1].set_healthy(true, "");
    for (std::size_t i = 0; i < 500; ++i) EXPECT_EQ(group.pick(i), before[i]);
}

TEST(Balancer, WhoIsNotUpIsPassedOver) {
    Group group(Balance::round_robin, {{"a"}, {"b"}, {"c"}, {"d"}, {"e"}});
    group[0].set_present(false);
    group[1].set_draining(true);
    group[2].set_healthy(false, "no");
    group[3].note_failure(now, "refused");
    EXPECT_EQ(group.pick_many(10), (Picked{{"e", 10}}));
}

TEST(Balancer, ABackupComesOnlyWhenNoOtherIsUp) {
    Group group(Balance::round_robin, {{"a"}, {"b", 1, true}});
    EXPECT_EQ(group.pick_many(4), (Picked{{"a", 4}}));
    group[0].set_healthy(false, "no");
    EXPECT_EQ(group.pick_many(4), (Picked{{"b", 4}}));
    group[0].set_healthy(true, "");
    EXPECT_EQ(group.pick_many(4), (Picked{{"a", 4}}));
}

TEST(Balancer, WithNobodyUpWhatMayHaveHealedIsTried) {
    Group group(Balance::round_robin, {{"gone"}, {"down"}, {"ejected"}, {"draining"}});
    group[0].set_present(false);
    group[1].set_healthy(false, "no");
    group[2].note_failure(now, "no");
    group[3].set_draining(true);
    EXPECT_EQ(group.pick(), "ejected");
    group[2].set_draining(true);
    EXPECT_EQ(group.pick(), "down");
    group[1].set_draining(true);
    EXPECT_EQ(group.pick(), "gone") << "it may come back within the grace time";
    group[0].set_draining(true);
    EXPECT_EQ(group.pick(), "none");
}

TEST(Balancer, WhoWasTriedIsNotTriedAgain) {
    Group group(Balance::visitor_address, {{"a"}, {"b"}, {"c"}});
    Balancer::Members tried;
    for (int i = 0; i < 3; ++i) {
        const auto next = group.balancer().pick(visitor(1), now, tried);
        ASSERT_TRUE(next);
        tried.push_back(next);
    }
    EXPECT_EQ(std::set<std::shared_ptr<Member>>(tried.begin(), tried.end()).size(), 3u);
    EXPECT_FALSE(group.balancer().pick(visitor(1), now, tried));
}

TEST(Member, IsEjectedForAGrowingTimeThatEnds) {
    Member member({"a"});
    member.set_present(true);
    auto at = now;
    const auto out_for = [&](Millis time) {
        member.note_failure(at, "connection refused");
        EXPECT_EQ(to_string(member.state(at + time - Millis(1))), "ejected");
        EXPECT_EQ(member.reason(at), "connection refused");
        at += time;
        EXPECT_EQ(to_string(member.state(at)), "up");
        EXPECT_EQ(member.reason(at), "");
    };
    for (const int seconds : {1, 2, 4, 8, 16, 32, 60, 60}) out_for(Seconds(seconds));
    member.note_success();
    out_for(Seconds(1));
}

TEST(Member, VisitorsWhoMeetTheSameFailureAtOnceCountAsOne) {
    Member member({"a"});
    member.set_present(true);
    EXPECT_TRUE(member.note_failure(now, "refused"));
    for (int i = 0; i < 200; ++i) EXPECT_FALSE(member.note_failure(now + Millis(i), "refused"));
    EXPECT_EQ(to_string(member.state(now + Seconds(1))), "up");
}

TEST(Member, ADrainedOneIsWhatItIsForThoseWhoAreThere) {
    Member member({"a"});
    member.set_present(true);
    member.set_draining(true);
    EXPECT_EQ(member.state(now), MemberState::draining);
    EXPECT_EQ(member.state_for_its_own(now), MemberState::up);
    member.note_failure(now, "refused");
    EXPECT_EQ(member.state(now), MemberState::draining);
    EXPECT_EQ(member.state_for_its_own(now), MemberState::ejected);
}

TEST(Member, KeepsWhatIsKnownOfItWhenItsOptionsChange) {
    Member before({"a"});
    before.set_present(true);
    before.set_healthy(false, "no");
    before.visitor_came();
    const Member after({"a", 5}, before);
    EXPECT_EQ(to_string(after.state(now)), "down");
    EXPECT_EQ(after.options().weight, 5u);
    before.visitor_went();
    EXPECT_EQ(after.visitors(), 0u);
}

TEST(Member, AGoodCheckForgivesWhatVisitorsMet) {
    Member member({"a"});
    member.set_present(true);
    member.note_failure(now, "refused");
    member.set_healthy(false, "the check got status 500");
    EXPECT_EQ(to_string(member.state(now)), "down");
    EXPECT_EQ(member.reason(now), "the check got status 500");
    member.set_healthy(true, "");
    EXPECT_EQ(to_string(member.state(now)), "up");
}

}  // namespace
}  // namespace tunnel::server
