// Which public port a mapping gets, and what happens when it cannot have it.

#include <sys/resource.h>

#include "tests/unit/tunnel-server/mappings/table_fixture.hpp"

namespace tunnel::server {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;

TEST_F(MappingTableTest, APortIsOfOneMappingOnlyAndTheSecondIsToldWhose) {
    const auto port = free_port();
    declare("home", {spec("ssh", port)});
    declare("office", {spec("web", port)});
    EXPECT_EQ(state_of("home", "ssh"), MappingState::listening);
    EXPECT_EQ(state_of("office", "web"), MappingState::refused);
    const auto states = table->states_for({"office", ""});
    ASSERT_EQ(states.size(), 1u);
    EXPECT_EQ(states[0].error_code, "conflict");
    EXPECT_THAT(states[0].error, AllOf(HasSubstr("ssh"), HasSubstr("home")));
}

TEST_F(MappingTableTest, TwoMappingsOfOneClientCannotShareAPort) {
    const auto port = free_port();
    declare("home", {spec("a", port), spec("b", port)});
    EXPECT_EQ(state_of("home", "a"), MappingState::listening);
    EXPECT_EQ(state_of("home", "b"), MappingState::refused);
}

TEST_F(MappingTableTest, AChosenPortIsNotGivenAway) {
    declare("home", {spec("a", 0)});
    declare("office", {spec("b", at("home", "a").port)});
    EXPECT_EQ(state_of("office", "b"), MappingState::refused);
}

TEST_F(MappingTableTest, ClientsMayTakeOnlyWhatAllowPortsSays) {
    const auto inside = free_port();
    auto outside = free_port();
    while (outside == inside) outside = free_port();
    allow = {{inside, inside}};
    table->set_rules(rules());
    declare("home", {spec("inside", inside), spec("outside", outside)});
    EXPECT_EQ(state_of("home", "inside"), MappingState::listening);
    EXPECT_EQ(state_of("home", "outside"), MappingState::refused);
    EXPECT_EQ(at("home", "outside").refusal->code, Errc::not_allowed);
    EXPECT_THAT(at("home", "outside").refusal->message,
                AllOf(HasSubstr(std::to_string(outside)), HasSubstr(std::to_string(inside)),
                      HasSubstr("allow_ports")));
}

TEST_F(MappingTableTest, AWiderAllowPortsLetsInWhatWasRefused) {
    const auto port = free_port();
    allow = {{1024, 1025}};
    table->set_rules(rules());
    declare("home", {spec("ssh", port)});
    EXPECT_EQ(state_of("home", "ssh"), MappingState::refused);
    changes.clear();
    allow = {{port, port}};
    table->set_rules(rules());
    EXPECT_EQ(state_of("home", "ssh"), MappingState::listening);
    EXPECT_THAT(changes, Contains(SeatKey{"home", ""}));
}

TEST_F(MappingTableTest, ANarrowerAllowPortsClosesWhatClientsMayNoLongerTake) {
    const auto kept_port = free_port();
    auto lost_port = free_port();
    while (lost_port == kept_port) lost_port = free_port();
    declare("home", {spec("kept", kept_port), spec("lost", lost_port)});
    add("home", "by-admin", 0);
    const auto kept = at("home", "kept").listener;
    const auto admins = at("home", "by-admin").listener;
    changes.clear();
    allow = {{kept_port, kept_port}};
    table->set_rules(rules());
    EXPECT_EQ(at("home", "kept").listener, kept);
    EXPECT_EQ(at("home", "by-admin").listener, admins);
    EXPECT_EQ(state_of("home", "lost"), MappingState::refused);
    EXPECT_THAT(at("home", "lost").last_error, HasSubstr("allow_ports"));
    EXPECT_FALSE(visit(lost_port));
    EXPECT_THAT(changes, Contains(SeatKey{"home", ""}));
    EXPECT_TRUE(removed.empty()) << "running visitors were to go on";
}

TEST_F(MappingTableTest, AChosenPortThatIsNoLongerAllowedIsChosenAnew) {
    declare("home", {spec("ssh", 0)});
    const auto before = at("home", "ssh").port;
    auto other = free_port();
    while (other == before) other = free_port();
    allow = {{other, other}};
    table->set_rules(rules());
    EXPECT_EQ(state_of("home", "ssh"), MappingState::listening);
    EXPECT_EQ(at("home", "ssh").port, other);
    EXPECT_FALSE(visit(before));
}

TEST_F(MappingTableTest, NewRulesDoNotOverruleAClientsObjection) {
    declare("home", {});
    add("home", "web", 0);
    table->object({"home", "web"}, "no");
    table->set_rules(rules());
    EXPECT_EQ(state_of("home", "web"), MappingState::refused);
}

TEST_F(MappingTableTest, TheTunnelPortIsNeverGivenAway) {
    tunnel_port = free_port();
    declare("home", {spec("ssh", tunnel_port)});
    EXPECT_EQ(state_of("home", "ssh"), MappingState::refused);
    EXPECT_THAT(at("home", "ssh").refusal->message, HasSubstr("tunnel port"));
}

TEST_F(MappingTableTest, ChoosesOnlyAllowedPortsAndNotTheTunnelPort) {
    const auto only = free_port();
    allow = {{only, only}};
    tunnel_port = only;
    table->set_rules(rules());
    declare("home", {spec("ssh", 0)});
    EXPECT_EQ(state_of("home", "ssh"), MappingState::refused);
    EXPECT_EQ(at("home", "ssh").refusal->code, Errc::limit);
    tunnel_port = 0;
    declare("home", {spec("ssh", 0)});
    EXPECT_EQ(state_of("home", "ssh"), MappingState::listening);
    EXPECT_EQ(at("home", "ssh").port, only);
}

TEST_F(MappingTableTest, RemembersTheChosenPortForAClientThatComesBack) {
    declare("home", {spec("ssh", 0)});
    const auto port = at("home", "ssh").port;
    EXPECT_THAT(chosen, testing::ElementsAre(std::pair(MappingKey{"home", "ssh"}, port)));
    table->set_presence({"home", ""}, Presence::gone);
    declare("home", {spec("ssh", 0)});
    EXPECT_EQ(at("home", "ssh").port, port);
    EXPECT_EQ(chosen.size(), 1u);
}

TEST_F(MappingTableTest, PrefersThePortTheClientHadBefore) {
    const auto port = free_port();
    auto wish = spec("ssh", 0);
    wish.preferred_port = port;
    declare("home", {wish});
    EXPECT_EQ(at("home", "ssh").port, port);
}

TEST_F(MappingTableTest, ChoosesAnotherPortWhenTheOldOneIsTaken) {
    const auto port = free_port();
    const auto program = occupy(port);
    auto wish = spec("ssh", 0);
    wish.preferred_port = port;
    declare("home", {wish});
    EXPECT_EQ(state_of("home", "ssh"), MappingState::listening);
    EXPECT_NE(at("home", "ssh").port, port);
}

TEST_F(MappingTableTest, APreferredPortBeyondTheRulesIsNotTaken) {
    const auto allowed = free_port();
    allow = {{allowed, allowed}};
    table->set_rules(rules());
    auto wish = spec("ssh", 0);
    do {
        wish.preferred_port = free_port();
    } while (wish.preferred_port == allowed);
    declare("home", {wish});
    EXPECT_EQ(at("home", "ssh").port, allowed);
}

TEST_F(MappingTableTest, AFreedPortIsTakenAtTheNextRetry) {
    const auto port = free_port();
    auto program = occupy(port);
    declare("home", {spec("ssh", port)});
    EXPECT_EQ(state_of("home", "ssh"), MappingState::refused);
    EXPECT_EQ(at("home", "ssh").refusal->code, Errc::conflict);
    EXPECT_THAT(at("home", "ssh").last_error, HasSubstr("in use"));
    table->retry_refused();
    EXPECT_EQ(state_of("home", "ssh"), MappingState::refused);

    program.reset();
    changes.clear();
    table->retry_refused();
    EXPECT_EQ(state_of("home", "ssh"), MappingState::listening);
    EXPECT_THAT(changes, Contains(SeatKey{"home", ""}));
    EXPECT_EQ(visitor_of(port), (MappingKey{"home", "ssh"}));
}

TEST_F(MappingTableTest, APortThatAnotherMappingLeftIsTakenAtTheNextRetry) {
    const auto port = free_port();
    declare("home", {spec("ssh", port)});
    declare("office", {spec("ssh", port)});
    table->declare({"home", ""}, {});
    table->retry_refused();
    EXPECT_EQ(state_of("office", "ssh"), MappingState::listening);
}

TEST_F(MappingTableTest, RangesLeaveHalfOfTheDescriptorsToVisitors) {
    rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
    const rlimit few{200, before.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
    auto wide = spec("wide", 0, "127.0.0.1:20000-20149");
    wide.options = {{"tcp", "20000-20149"}};
    declare("home", {wide});
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
    EXPECT_EQ(state_of("home", "wide"), MappingState::refused);
    EXPECT_EQ(at("home", "wide").refusal->code, Errc::limit);
    EXPECT_THAT(at("home", "wide").refusal->message,
                HasSubstr("150 more would leave too few of its 200 descriptors"));
}

TEST_F(MappingTableTest, TwoMappingsMaySwapTheirPorts) {
    const auto one = free_port();
    auto two = free_port();
    while (two == one) two = free_port();
    declare("home", {spec("a", one), spec("b", two)});
    table->declare({"home", ""}, {spec("a", two), spec("b", one)});
    table->retry_refused();
    EXPECT_EQ(state_of("home", "a"), MappingState::listening);
    EXPECT_EQ(state_of("home", "b"), MappingState::listening);
    EXPECT_EQ(visitor_of(two), (MappingKey{"home", "a"}));
    EXPECT_EQ(visitor_of(one), (MappingKey{"home", "b"}));
}

}  // namespace
}  // namespace tunnel::server
