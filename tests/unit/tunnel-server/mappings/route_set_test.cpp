#include <gtest/gtest.h>

#include "tunnel-server/mappings/mapping.hpp"
#include "tunnel-server/pool/ready_pool.hpp"
#include "tunnel-server/streams/assignment.hpp"

namespace tunnel::server {
namespace {

std::shared_ptr<const Route> route_of(const std::string& client, const std::string& service,
                                      const std::shared_ptr<RouteCell>& cell) {
    auto member = std::make_shared<Member>(MemberOptions{client + "/" + service});
    member->set_present(true);
    Route route{{client, "web"}, {client, ""}, {}, service, std::make_shared<MappingCounters>()};
    route.gates[0].count = std::make_shared<VisitorCount>(0);
    route.member = std::move(member);
    route.group = cell;
    return std::make_shared<const Route>(std::move(route));
}

struct Group {
    Group() { cell->set({a, b, other}, Balance::round_robin); }
    std::shared_ptr<RouteCell> cell = std::make_shared<RouteCell>();
    std::shared_ptr<const Route> a = route_of("home", "a", cell);
    std::shared_ptr<const Route> b = route_of("home", "b", cell);
    std::shared_ptr<const Route> other = route_of("office", "c", cell);
};

WaitingVisitor visitor_of(std::shared_ptr<const Route> route) {
    WaitingVisitor visitor;
    visitor.route = std::move(route);
    return visitor;
}

TEST(RouteSet, AMappingWithOneServiceIsAlwaysPicked) {
    RouteCell cell;
    const auto counters = std::make_shared<MappingCounters>();
    cell.set({std::make_shared<const Route>(Route{{"home", "ssh"}, {"home", ""}, {}, "22", counters})},
             Balance::round_robin);
    const auto picked = cell.pick({});
    ASSERT_TRUE(picked);
    EXPECT_EQ(picked->service, "22");
    auto visitor = visitor_of(picked);
    EXPECT_FALSE(has_next_member(visitor));
    EXPECT_FALSE(next_member(visitor, Failed::member, "refused"));
    picked->came();
    EXPECT_EQ(counters->visitors, 1u);
    picked->went();
    EXPECT_EQ(counters->visitors, 0u);
}

TEST(RouteSet, AVisitorTriesEveryMemberOnce) {
    const Group group;
    auto visitor = visitor_of(group.a);
    visitor.moves = 2;
    ASSERT_TRUE(has_next_member(visitor));
    ASSERT_TRUE(next_member(visitor, Failed::member, "refused"));
    EXPECT_EQ(visitor.moves, 0);
    EXPECT_NE(visitor.route, group.a);
    const auto second = visitor.route;
    ASSERT_TRUE(next_member(visitor, Failed::member, "refused"));
    EXPECT_NE(visitor.route, group.a);
    EXPECT_NE(visitor.route, second);
    EXPECT_FALSE(has_next_member(visitor));
    const auto last = visitor.route;
    EXPECT_FALSE(next_member(visitor, Failed::member, "refused"));
    EXPECT_EQ(visitor.route, last);
    for (const auto& route : {group.a, group.b, group.other})
        EXPECT_EQ(route->member->state(Clock::now()), MemberState::ejected);
}

TEST(RouteSet, AClientThatFailsFailsWithAllItsMembers) {
    const Group group;
    auto visitor = visitor_of(group.a);
    ASSERT_TRUE(next_member(visitor, Failed::client, "no data connection"));
    EXPECT_EQ(visitor.route, group.other);
    EXPECT_EQ(group.b->member->state(Clock::now()), MemberState::ejected);
    EXPECT_EQ(group.other->member->state(Clock::now()), MemberState::up);
    EXPECT_FALSE(has_next_member(visitor));
}

TEST(RouteSet, WhoWaitsForAClientThatIsAwayMovesOnlyToWhatIsUp) {
    const Group group;
    auto visitor = visitor_of(group.a);
    group.a->member->set_present(false);
    group.b->member->set_present(false);
    (void)group.other->member->note_failure(Clock::now(), "refused");
    EXPECT_FALSE(move_to_member_that_is_up(visitor));
    EXPECT_EQ(visitor.route, group.a);
    group.other->member->note_success();
    EXPECT_TRUE(move_to_member_that_is_up(visitor));
    EXPECT_EQ(visitor.route, group.other);
}

TEST(RouteSet, WhenAllDrainNobodyIsPicked) {
    const Group group;
    for (const auto& route : {group.a, group.b, group.other}) route->member->set_draining(true);
    EXPECT_FALSE(group.cell->pick({}));
    Visitor visitor;
    const auto admitted = admit(group.a, visitor);
    ASSERT_FALSE(admitted);
    EXPECT_EQ(admitted.error(), Refusal::drained);
}

TEST(RouteSet, AVisitorCountsAtTheMappingThatServesIt) {
    const Group group;
    auto visitor = visitor_of(group.a);
    visitor.visitor.place = std::move(*admit(group.a->gates, nullptr, Clock::now()));
    EXPECT_EQ(*group.a->gates[0].count, 1u);
    ASSERT_TRUE(next_member(visitor, Failed::client, "no data connection"));
    EXPECT_EQ(visitor.route, group.other);
    EXPECT_EQ(*group.a->gates[0].count, 0u);
    EXPECT_EQ(*group.other->gates[0].count, 1u);
}

TEST(RouteSet, AFlowMovesOnlyToAMemberThatIsUpAndTakesItsPlaceAlong) {
    const Group group;
    const auto visitor = *parse_ip("192.0.2.1");
    auto place = std::move(*admit(group.a->gates, &visitor, Clock::now()));
    const auto elsewhere = [&] { return admit_elsewhere(*group.cell->set(), *group.a, place, visitor); };
    (void)group.a->member->note_failure(Clock::now(), "closed");
    (void)group.b->member->note_failure(Clock::now(), "closed");
    group.other->member->set_draining(true);
    EXPECT_FALSE(elsewhere());
    EXPECT_EQ(*group.a->gates[0].count, 1u);
    group.other->member->set_draining(false);
    const auto moved = elsewhere();
    ASSERT_TRUE(moved);
    EXPECT_EQ(moved->route, group.other);
    EXPECT_EQ(*group.other->gates[0].count, 1u);
}

TEST(RouteSet, WhoAsksForADataConnectionForDatagramsIsSentToNobodyElse) {
    struct Request final : CarrierRequest {
        void take(ReadyConnection) override {}
    };
    const Group group;
    auto visitor = visitor_of(group.a);
    visitor.carrier = std::make_shared<Request>();
    EXPECT_FALSE(move_to_member_that_is_up(visitor));
    EXPECT_FALSE(next_member(visitor, Failed::client, "no data connection"));
    EXPECT_EQ(visitor.route, group.a);
    // But the failure is noted, and flows go elsewhere by themselves.
    EXPECT_EQ(group.b->member->state(Clock::now()), MemberState::ejected);
}

TEST(RouteSet, WhoIsTurnedAwayByOneMappingIsLetInByAnother) {
    Group group;
    auto closed = *group.other;
    auto rules = std::make_shared<VisitorRules>();
    rules->closed = true;
    closed.gates[0].rules = rules;
    group.cell->set({std::make_shared<const Route>(closed), group.a}, Balance::round_robin);
    for (int i = 0; i < 4; ++i) {
        Visitor visitor;
        const auto admitted = admit(group.a, visitor);
        ASSERT_TRUE(admitted);
        EXPECT_EQ(admitted->route, group.a);
    }
    group.cell->set({std::make_shared<const Route>(closed)}, Balance::round_robin);
    Visitor visitor;
    const auto admitted = admit(group.a, visitor);
    ASSERT_FALSE(admitted);
    EXPECT_EQ(admitted.error(), Refusal::quota);
}

}  // namespace
}  // namespace tunnel::server
