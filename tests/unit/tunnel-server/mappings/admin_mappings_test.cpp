// What the admin adds, pauses and removes, and what the client objects to.

#include "tests/unit/tunnel-server/mappings/table_fixture.hpp"

namespace tunnel::server {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;

TEST_F(MappingTableTest, AnAdminsMappingListensWhileItsClientIsConnected) {
    const auto port = free_port();
    add("home", "ssh", port);
    EXPECT_EQ(state_of("home", "ssh"), MappingState::offline);
    EXPECT_FALSE(visit(port));
    declare("home", {});
    EXPECT_EQ(state_of("home", "ssh"), MappingState::listening);
    EXPECT_EQ(visitor_of(port), (MappingKey{"home", "ssh"}));
}

TEST_F(MappingTableTest, CheckNewRefusesWhatAddCouldNotServe) {
    const auto port = free_port();
    const auto check = [&](const std::string& client, const std::string& name, Port tcp) {
        return table->check_new(stored(client, name, tcp));
    };
    EXPECT_TRUE(check("home", "ssh", port));
    EXPECT_TRUE(check("home", "ssh", 0));
    add("home", "ssh", port);
    EXPECT_EQ(check("home", "ssh", 0).error().code, Errc::exists);
    EXPECT_EQ(check("office", "other", port).error().code, Errc::conflict);
    EXPECT_THAT(check("office", "other", port).error().message,
                AllOf(HasSubstr("ssh"), HasSubstr("home"), HasSubstr(std::to_string(port))));

    const auto taken = free_port();
    const auto program = occupy(taken);
    EXPECT_EQ(check("home", "other", taken).error().code, Errc::conflict);

    tunnel_port = free_port();
    EXPECT_EQ(check("home", "other", tunnel_port).error().code, Errc::conflict);
    EXPECT_THAT(check("home", "other", tunnel_port).error().message, HasSubstr("tunnel port"));
    EXPECT_TRUE(visit(taken)) << "the check disturbed the program that listens there";
}

TEST_F(MappingTableTest, AllowPortsDoesNotBindTheAdmin) {
    const auto port = free_port();
    allow = {{1024, 1025}};
    table->set_rules(rules());
    EXPECT_TRUE(table->check_new(stored("home", "ssh", port)));
    add("home", "ssh", port);
    declare("home", {});
    EXPECT_EQ(state_of("home", "ssh"), MappingState::listening);
}

TEST_F(MappingTableTest, PauseClosesTheListenerAndResumeOpensItOnTheSamePort) {
    declare("home", {spec("web", 0)});
    const auto port = at("home", "web").port;
    changes.clear();
    table->set_paused({"home", "web"}, true);
    EXPECT_EQ(state_of("home", "web"), MappingState::paused);
    EXPECT_FALSE(visit(port));
    EXPECT_THAT(changes, ElementsAre(SeatKey{"home", ""}));
    EXPECT_THAT(removed, testing::IsEmpty()) << "a pause is to cut nobody";
    table->set_paused({"home", "web"}, false);
    EXPECT_EQ(state_of("home", "web"), MappingState::listening);
    EXPECT_EQ(at("home", "web").port, port);
    EXPECT_EQ(visitor_of(port), (MappingKey{"home", "web"}));
}

TEST_F(MappingTableTest, APauseOutlivesTheClientsAbsence) {
    declare("home", {spec("web", 0)});
    table->set_paused({"home", "web"}, true);
    table->set_presence({"home", ""}, Presence::gone);
    declare("home", {spec("web", 0)});
    EXPECT_EQ(state_of("home", "web"), MappingState::paused);
    EXPECT_EQ(at("home", "web").listener, nullptr);
    table->set_paused({"home", "web"}, false);
    EXPECT_EQ(state_of("home", "web"), MappingState::listening);
}

TEST_F(MappingTableTest, APausedMappingKeepsItsPortFromOthers) {
    const auto port = free_port();
    declare("home", {spec("web", port)});
    table->set_paused({"home", "web"}, true);
    declare("office", {spec("web", port)});
    EXPECT_EQ(state_of("office", "web"), MappingState::refused);
    table->set_paused({"home", "web"}, false);
    EXPECT_EQ(state_of("home", "web"), MappingState::listening);
}

TEST_F(MappingTableTest, RemoveTellsThatItsVisitorsAreToEndAndForgetsItsPause) {
    declare("home", {});
    add("home", "web", 0);
    table->set_paused({"home", "web"}, true);
    changes.clear();
    table->remove({"home", "web"});
    EXPECT_EQ(table->get({"home", "web"}), nullptr);
    EXPECT_THAT(removed, ElementsAre(MappingKey{"home", "web"}));
    EXPECT_THAT(changes, ElementsAre(SeatKey{"home", ""}));
    table->remove({"home", "web"});
    EXPECT_EQ(removed.size(), 1u);
    add("home", "web", 0);
    EXPECT_EQ(state_of("home", "web"), MappingState::listening);
}

TEST_F(MappingTableTest, RemovingAClientTakesAllOfItsMappings) {
    declare("home", {spec("a", 0)});
    add("home", "b", 0);
    declare("office", {spec("a", 0)});
    table->remove_client("home");
    EXPECT_EQ(table->all().size(), 1u);
    EXPECT_THAT(removed, testing::UnorderedElementsAre(MappingKey{"home", "a"}, MappingKey{"home", "b"}));
    EXPECT_EQ(state_of("office", "a"), MappingState::listening);
}

TEST_F(MappingTableTest, AnObjectionRefusesTheMappingAndSaysWhy) {
    declare("home", {});
    const auto port = add("home", "web", 0).port;
    changes.clear();
    table->object({"home", "web"}, "the client does not allow 10.0.0.1:80");
    EXPECT_EQ(state_of("home", "web"), MappingState::refused);
    EXPECT_EQ(at("home", "web").last_error, "the client does not allow 10.0.0.1:80");
    EXPECT_NE(at("home", "web").last_error_at, WallTime());
    EXPECT_FALSE(visit(port));
    EXPECT_THAT(changes, Contains(SeatKey{"home", ""}));
    table->retry_refused();
    EXPECT_EQ(state_of("home", "web"), MappingState::refused) << "only the client can change its mind";
}

TEST_F(MappingTableTest, ANewDeclarationLetsTheClientJudgeAgain) {
    declare("home", {});
    add("home", "web", 0);
    table->object({"home", "web"}, "no");
    table->declare({"office", ""}, {});
    EXPECT_EQ(state_of("home", "web"), MappingState::refused) << "another client's word";
    table->declare({"home", ""}, {});
    EXPECT_EQ(state_of("home", "web"), MappingState::listening);
}

TEST_F(MappingTableTest, AClientCannotObjectToItsOwnOrToAnotherClientsMapping) {
    declare("home", {spec("web", 0)});
    table->object({"home", "web"}, "no");
    table->object({"home", "nothing"}, "no");
    EXPECT_EQ(state_of("home", "web"), MappingState::listening);
}

TEST_F(MappingTableTest, FindsByNameAndAsksWhichWhenSeveralClientsHaveIt) {
    add("home", "ssh", 0);
    add("home", "web", 0);
    EXPECT_EQ(*table->find("ssh", ""), (MappingKey{"home", "ssh"}));
    add("office", "ssh", 0);
    const auto ambiguous = table->find("ssh", "");
    ASSERT_FALSE(ambiguous);
    EXPECT_EQ(ambiguous.error().code, Errc::conflict);
    EXPECT_THAT(ambiguous.error().message, AllOf(HasSubstr("home/ssh"), HasSubstr("office/ssh")));
    EXPECT_EQ(*table->find("ssh", "office"), (MappingKey{"office", "ssh"}));
    EXPECT_EQ(table->find("nothing", "").error().code, Errc::not_found);
    EXPECT_EQ(table->find("web", "office").error().code, Errc::not_found);
}

TEST_F(MappingTableTest, LoadsWhatTheStoreKept) {
    const auto port = free_port();
    StoreSnapshot snapshot;
    snapshot.mappings = {stored("home", "ssh", 0), stored("home", "web", 0), stored("home", "odd", 0)};
    snapshot.mappings[1].options.encrypt = false;
    snapshot.mappings[2].problem = "its options are of another release";
    snapshot.paused = {{"home", "web"}};
    snapshot.assigned_ports = {{"home", "ssh", port}};
    table->load(snapshot);
    EXPECT_EQ(state_of("home", "ssh"), MappingState::offline);
    EXPECT_EQ(at("home", "ssh").port, port);
    EXPECT_EQ(state_of("home", "web"), MappingState::paused);
    declare("home", {});
    EXPECT_EQ(state_of("home", "ssh"), MappingState::listening);
    EXPECT_EQ(at("home", "ssh").port, port);
    EXPECT_FALSE(at("home", "web").options.encrypt);
    EXPECT_EQ(state_of("home", "odd"), MappingState::refused);
    EXPECT_EQ(at("home", "odd").last_error, "its options are of another release");
    EXPECT_TRUE(chosen.empty()) << "a port that is remembered already was told again";
}

}  // namespace
}  // namespace tunnel::server
