// Mappings that come to a group and leave it, and the listeners they share.

#include "tests/unit/tunnel-server/mappings/table_fixture.hpp"

namespace tunnel::server {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Pair;

class MappingGroups : public MappingTableTest {
  protected:
    MappingGroups() {
        for (const auto* client : {"home", "office"}) table->set_presence({client, ""}, Presence::connected);
    }
    const Mapping& add_to(const std::string& group, const std::string& client, const std::string& name,
                          Port port) {
        auto mapping = stored(client, name, port);
        mapping.options.group.name = group;
        return table->add(mapping);
    }
    std::size_t members_seen_by(const std::string& client, const std::string& name) const {
        return at(client, name).route->set()->routes().size();
    }
};

wire::MappingSpec grouped(std::string name, Port tcp, const std::string& group, std::string service) {
    auto made = spec(std::move(name), tcp, std::move(service));
    if (!group.empty()) made.options.push_back({"group", group});
    return made;
}

TEST_F(MappingGroups, AListenerStaysWhenItsMappingComesToAGroupAloneAndLeavesIt) {
    const auto port = free_port();
    declare("home", {grouped("web", port, "", "127.0.0.1:80")});
    const auto* const listener = at("home", "web").listener.get();
    ASSERT_NE(listener, nullptr);
    for (const auto* group : {"site", "other", ""}) {
        declare("home", {grouped("web", port, group, "127.0.0.1:80")});
        EXPECT_EQ(at("home", "web").listener.get(), listener) << group;
        EXPECT_EQ(visitor_of(port), (MappingKey{"home", "web"})) << group;
    }
    // The names it had are free again, with whatever endpoint.
    auto elsewhere = free_port();
    while (elsewhere == port) elsewhere = free_port();
    declare("office", {grouped("web", elsewhere, "site", "127.0.0.1:80")});
    EXPECT_EQ(state_of("office", "web"), MappingState::listening);
}

TEST_F(MappingGroups, MappingsOfAGroupHaveOneListenerUntilTheLastLeaves) {
    const auto port = free_port();
    add_to("site", "home", "web", port);
    add_to("site", "office", "web", port);
    const auto listener = at("home", "web").listener;
    ASSERT_TRUE(listener);
    EXPECT_EQ(at("office", "web").listener, listener);
    EXPECT_EQ(members_seen_by("home", "web"), 2u);
    table->remove({"home", "web"});
    EXPECT_EQ(at("office", "web").listener, listener);
    EXPECT_EQ(members_seen_by("office", "web"), 1u);
    EXPECT_EQ(visitor_of(port), (MappingKey{"office", "web"}));
}

TEST_F(MappingGroups, WhoLeavesForAnotherGroupTakesNoneOfTheOthersVisitors) {
    const auto port = free_port();
    declare("home", {grouped("a", port, "site", "127.0.0.1:1"), grouped("b", port, "site", "127.0.0.1:2")});
    EXPECT_EQ(members_seen_by("home", "a"), 2u);
    declare("home", {grouped("a", port, "site", "127.0.0.1:1"), grouped("b", port, "new", "127.0.0.1:2")});
    EXPECT_EQ(state_of("home", "a"), MappingState::listening);
    EXPECT_EQ(state_of("home", "b"), MappingState::refused);
    EXPECT_EQ(members_seen_by("home", "a"), 1u);
    EXPECT_EQ(visitor_of(port), (MappingKey{"home", "a"}));
}

TEST_F(MappingGroups, AChosenPortIsRememberedForEveryMember) {
    const auto port = add_to("site", "home", "web", 0).port;
    ASSERT_NE(port, 0);
    EXPECT_EQ(add_to("site", "office", "web", 0).port, port);
    EXPECT_THAT(chosen, Contains(Pair(MappingKey{"home", "web"}, port)));
    EXPECT_THAT(chosen, Contains(Pair(MappingKey{"office", "web"}, port)));
}

TEST_F(MappingGroups, AMemberThatIsTakenBackIsForgottenAndTheOthersKeepWhatIsKnown) {
    const auto port = free_port();
    auto made = spec("web", port, "127.0.0.1:1");
    made.options = {{"member", "127.0.0.1:2"}, {"member", "127.0.0.1:3"}, {"group", "site"}};
    declare("home", {made});
    ASSERT_EQ(at("home", "web").members.size(), 3u);
    (void)at("home", "web").members[2]->note_failure(Clock::now(), "refused");
    made.options = {{"member", "127.0.0.1:3,weight=5"}};
    declare("home", {made});
    ASSERT_EQ(at("home", "web").members.size(), 2u);
    EXPECT_EQ(at("home", "web").members[1]->options().weight, 5u);
    EXPECT_EQ(at("home", "web").members[1]->state(Clock::now()), MemberState::ejected);
    EXPECT_EQ(members_seen_by("home", "web"), 2u);
    EXPECT_EQ(state_of("home", "web"), MappingState::listening);
}

TEST_F(MappingGroups, AGroupHasOneEndpoint) {
    const auto port = free_port();
    auto elsewhere = free_port();
    while (elsewhere == port) elsewhere = free_port();
    add_to("site", "home", "web", port);
    auto other = stored("office", "web", elsewhere);
    other.options.group.name = "site";
    const auto refused = table->check_new(other);
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().message, HasSubstr("name the same one, or another group"));
    other.options.endpoint.ports = {port, port};
    other.options.endpoint.protocol = Protocol::udp;
    const auto of_datagrams = table->check_new(other);
    ASSERT_FALSE(of_datagrams);
    EXPECT_THAT(of_datagrams.error().message, HasSubstr(fmt::format("(tcp {})", port)));
}

TEST_F(MappingGroups, WhatHappensToOneMappingLeavesTheRoutesOfTheOthersAlone) {
    const auto port = free_port();
    add_to("site", "home", "web", port);
    add_to("site", "office", "web", port);
    const auto routes = [&] { return at("home", "web").route->set()->routes(); };
    const auto before = routes();
    ASSERT_EQ(before.size(), 2u);
    table->set_presence({"office", ""}, Presence::away);
    ASSERT_EQ(routes().size(), 2u);
    EXPECT_EQ(routes()[0], before[0]);
    EXPECT_NE(routes()[1], before[1]);
    table->set_presence({"office", ""}, Presence::gone);
    EXPECT_EQ(routes(), Routes{before[0]});
}

}  // namespace
}  // namespace tunnel::server
