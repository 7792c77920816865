// What clients declare: the set replaces the one before, and what has not changed is not touched.

#include "tests/unit/tunnel-server/mappings/table_fixture.hpp"

namespace tunnel::server {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST_F(MappingTableTest, ADeclaredMappingListensAndTakesVisitors) {
    const auto port = free_port();
    declare("home", {spec("ssh", port)});
    const auto& ssh = at("home", "ssh");
    EXPECT_EQ(ssh.state, MappingState::listening);
    EXPECT_EQ(ssh.source, wire::MappingSource::client);
    EXPECT_EQ(ssh.port, port);
    EXPECT_EQ(visitor_of(port), (MappingKey{"home", "ssh"}));
    EXPECT_THAT(changes, Contains(SeatKey{"home", ""}));
}

TEST_F(MappingTableTest, ANewDeclarationLeavesUnchangedListenersAlone) {
    const auto kept_port = free_port();
    declare("home", {spec("kept", kept_port), spec("dropped", 0), spec("moved", free_port())});
    const auto kept = at("home", "kept").listener;
    const auto moved = at("home", "moved").listener;
    const auto dropped_port = at("home", "dropped").port;

    const auto new_port = free_port();
    table->declare({"home", ""}, {spec("moved", new_port), spec("new", 0), spec("kept", kept_port)});
    EXPECT_EQ(at("home", "kept").listener, kept);
    EXPECT_NE(at("home", "moved").listener, moved);
    EXPECT_EQ(at("home", "moved").port, new_port);
    EXPECT_EQ(state_of("home", "moved"), MappingState::listening);
    EXPECT_EQ(state_of("home", "new"), MappingState::listening);
    EXPECT_EQ(table->get({"home", "dropped"}), nullptr);
    EXPECT_THAT(removed, ElementsAre(MappingKey{"home", "dropped"}));
    EXPECT_FALSE(visit(dropped_port)) << "the dropped mapping still listens";
}

TEST_F(MappingTableTest, AnotherServiceOrEncryptionNeedsNoOtherListener) {
    declare("home", {spec("web", 0, "127.0.0.1:80")});
    const auto listener = at("home", "web").listener;
    auto changed = spec("web", 0, "127.0.0.1:8080");
    changed.encrypt = false;
    declare("home", {changed});
    EXPECT_EQ(at("home", "web").listener, listener);
    EXPECT_EQ(to_string(at("home", "web").options.service), "127.0.0.1:8080");
    EXPECT_FALSE(at("home", "web").options.encrypt);
    EXPECT_THAT(removed, IsEmpty());
}

TEST_F(MappingTableTest, AnEmptyDeclarationTakesAllOfThatSeatAndNoOther) {
    declare("home", {spec("a", 0)});
    declare("office", {spec("b", 0)});
    add("home", "by-admin", 0);
    table->declare({"home", ""}, {});
    EXPECT_EQ(table->get({"home", "a"}), nullptr);
    EXPECT_EQ(state_of("office", "b"), MappingState::listening);
    EXPECT_EQ(state_of("home", "by-admin"), MappingState::listening);
}

TEST_F(MappingTableTest, ASpecThatBreaksTheRulesIsRejectedAndTheRestTaken) {
    declare("home", {spec("bad name", 0), spec("ok", 0), spec("no-service", 0, "nonsense")});
    EXPECT_EQ(state_of("home", "ok"), MappingState::listening);
    EXPECT_EQ(table->all().size(), 1u);
    const auto states = table->states_for({"home", ""});
    ASSERT_EQ(states.size(), 3u);
    for (const auto& state : states) {
        if (state.name == "ok") continue;
        EXPECT_EQ(state.state, "refused") << state.name;
        EXPECT_EQ(state.error_code, "invalid") << state.name;
        EXPECT_NE(state.error, "") << state.name;
    }
    table->declare({"home", ""}, {spec("ok", 0)});
    EXPECT_EQ(table->states_for({"home", ""}).size(), 1u) << "an old rejection is told for ever";
}

TEST_F(MappingTableTest, TheAdminsNameIsNotTheClientsToTake) {
    add("home", "ssh", 0);
    declare("home", {spec("ssh", 0, "127.0.0.1:9999")});
    EXPECT_EQ(at("home", "ssh").source, wire::MappingSource::admin);
    EXPECT_EQ(to_string(at("home", "ssh").options.service), "127.0.0.1:22");
    const auto states = table->states_for({"home", ""});
    ASSERT_EQ(states.size(), 2u);
    EXPECT_EQ(states[1].error_code, "conflict");
    EXPECT_THAT(states[1].error, HasSubstr("tunnelctl mapping remove home/ssh"));
}

TEST_F(MappingTableTest, WhenTheClientIsAwayItsMappingsWaitWithTheSameListener) {
    declare("home", {spec("ssh", 0)});
    const auto listener = at("home", "ssh").listener;
    table->set_presence({"home", ""}, Presence::away);
    EXPECT_EQ(state_of("home", "ssh"), MappingState::waiting);
    EXPECT_EQ(at("home", "ssh").listener, listener);
    declare("home", {spec("ssh", 0)});
    EXPECT_EQ(state_of("home", "ssh"), MappingState::listening);
    EXPECT_EQ(at("home", "ssh").listener, listener);
}

TEST_F(MappingTableTest, WhenTheClientIsGoneItsMappingsGoAndTheAdminsStay) {
    declare("home", {spec("declared", 0)});
    add("home", "by-admin", 0);
    const auto declared_port = at("home", "declared").port;
    const auto admin_port = at("home", "by-admin").port;
    table->set_presence({"home", ""}, Presence::gone);
    EXPECT_EQ(table->get({"home", "declared"}), nullptr);
    EXPECT_EQ(state_of("home", "by-admin"), MappingState::offline);
    EXPECT_EQ(at("home", "by-admin").listener, nullptr);
    EXPECT_FALSE(visit(declared_port));
    EXPECT_FALSE(visit(admin_port));
    EXPECT_THAT(removed, IsEmpty()) << "running visitors were to go on";

    table->set_presence({"home", ""}, Presence::connected);
    EXPECT_EQ(state_of("home", "by-admin"), MappingState::listening);
    EXPECT_EQ(at("home", "by-admin").port, admin_port);
}

TEST_F(MappingTableTest, AnExposeHasItsOwnSetBesideRun) {
    declare("home", {spec("web", 0)});
    table->set_presence({"home", "ssh"}, Presence::connected);
    table->declare({"home", "ssh"}, {spec("ssh", 0)});
    EXPECT_EQ(state_of("home", "web"), MappingState::listening);
    EXPECT_EQ(state_of("home", "ssh"), MappingState::listening);
    EXPECT_EQ(table->states_for({"home", ""}).size(), 1u);
    EXPECT_EQ(table->states_for({"home", "ssh"}).size(), 1u);
    EXPECT_EQ(table->count_of("home"), 2u);

    table->set_presence({"home", "ssh"}, Presence::gone);
    EXPECT_EQ(table->get({"home", "ssh"}), nullptr);
    EXPECT_EQ(state_of("home", "web"), MappingState::listening);
}

TEST_F(MappingTableTest, ANameOfAnotherConnectedSessionIsRefusedAndOfAnAbsentOneTakenOver) {
    declare("home", {spec("web", 0)});
    const auto listener = at("home", "web").listener;
    table->set_presence({"home", "web"}, Presence::connected);
    table->declare({"home", "web"}, {spec("web", 0, "127.0.0.1:81")});
    EXPECT_EQ(to_string(at("home", "web").options.service), "127.0.0.1:22");
    ASSERT_EQ(table->states_for({"home", "web"}).size(), 1u);
    EXPECT_EQ(table->states_for({"home", "web"})[0].error_code, "conflict");

    table->set_presence({"home", ""}, Presence::away);
    table->declare({"home", "web"}, {spec("web", 0, "127.0.0.1:81")});
    EXPECT_EQ(to_string(at("home", "web").options.service), "127.0.0.1:81");
    EXPECT_EQ(at("home", "web").slot, "web");
    EXPECT_EQ(at("home", "web").listener, listener);
    EXPECT_EQ(state_of("home", "web"), MappingState::listening);
    table->set_presence({"home", ""}, Presence::gone);
    EXPECT_NE(table->get({"home", "web"}), nullptr) << "it belongs to the other session now";
}

TEST_F(MappingTableTest, StatesTellTheAddressOnceItListens) {
    declare("home", {spec("ssh", 0)});
    const auto port = at("home", "ssh").port;
    auto states = table->states_for({"home", ""});
    ASSERT_EQ(states.size(), 1u);
    EXPECT_EQ(states[0].state, "listening");
    EXPECT_EQ(states[0].port, port);
    EXPECT_EQ(states[0].public_address, "vps.example.com:" + std::to_string(port));
    table->set_paused({"home", "ssh"}, true);
    states = table->states_for({"home", ""});
    EXPECT_EQ(states[0].state, "paused");
    EXPECT_EQ(states[0].public_address, "");
}

TEST_F(MappingTableTest, CloseAllTakesNoVisitorAnyMore) {
    declare("home", {spec("ssh", 0)});
    const auto port = at("home", "ssh").port;
    table->close_all();
    EXPECT_EQ(at("home", "ssh").listener, nullptr);
    EXPECT_FALSE(visit(port));
    declare("home", {spec("ssh", 0), spec("web", 0)});
    EXPECT_EQ(at("home", "web").listener, nullptr);
}

}  // namespace
}  // namespace tunnel::server
