// What is put in comes out, also after the file was closed and opened again; a refused change changes
// nothing.

#include "tunnel-server/store/store.hpp"

#include <gmock/gmock.h>

#include "tests/unit/tunnel-server/store/store_fixture.hpp"

namespace tunnel::server {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST_F(StoreTest, ANewFileIsEmpty) {
    auto store = must_open();
    auto all = store.load_all();
    ASSERT_TRUE(all) << all.error().message;
    EXPECT_THAT(all->clients, IsEmpty());
    EXPECT_THAT(all->mappings, IsEmpty());
    EXPECT_THAT(all->paused, IsEmpty());
    EXPECT_THAT(all->assigned_ports, IsEmpty());
}

TEST_F(StoreTest, EverythingSurvivesAReopen) {
    auto home = client_named("home");
    home.expires_at = at(1'900'000'000);
    const auto office = client_named("office");
    auto free_port = mapping_of("home", "web");
    free_port.options.endpoint.ports = {};
    free_port.options.encrypt = false;
    free_port.options.times = {Seconds(90), Seconds(3600)};
    {
        auto store = must_open();
        ASSERT_TRUE(store.add_client(office));
        ASSERT_TRUE(store.add_client(home));
        ASSERT_TRUE(store.add_mapping(free_port));
        ASSERT_TRUE(store.add_mapping(mapping_of("home", "ssh")));
        ASSERT_TRUE(store.add_mapping(mapping_of("office", "ssh")));
        ASSERT_TRUE(store.set_paused("office", "declared-by-client", true));
        ASSERT_TRUE(store.set_assigned_port("home", "web", 40001));
    }
    auto store = must_open();
    auto all = store.load_all();
    ASSERT_TRUE(all) << all.error().message;
    EXPECT_THAT(all->clients, ElementsAre(home, office));
    EXPECT_THAT(all->mappings,
                ElementsAre(mapping_of("home", "ssh"), free_port, mapping_of("office", "ssh")));
    EXPECT_THAT(all->paused, ElementsAre(PausedMapping{"office", "declared-by-client"}));
    EXPECT_THAT(all->assigned_ports, ElementsAre(AssignedPort{"home", "web", 40001}));
}

TEST_F(StoreTest, KeysKeepEveryByteAndNamesAreBoundNotPasted) {
    auto client = client_named("o'hara\"; DROP TABLE clients; --");
    client.stored_key.fill(0);  // a blob of zero bytes is not an empty text
    auto store = must_open();
    ASSERT_TRUE(store.add_client(client));
    EXPECT_THAT(store.load_all()->clients, ElementsAre(client));
    ASSERT_TRUE(store.remove_client(client.name));
    EXPECT_THAT(store.load_all()->clients, IsEmpty());
}

TEST_F(StoreTest, SettingsOfAClientSurviveAndAreReplacedAsAWhole) {
    auto home = client_named("home");
    ASSERT_TRUE(change_settings(home.settings, {{"ports", {"2222", "6000-6010"}},
                                                {"allow", {"10.0.0.0/8", "list:office"}},
                                                {"max_mappings", {"5"}},
                                                {"disabled", {"true"}}}));
    home.expires_at = at(1'900'000'000);
    home.use = {682, 123'456'789'012, true};
    {
        auto store = must_open();
        ASSERT_TRUE(store.add_client(client_named("home")));
        ASSERT_TRUE(store.add_client(client_named("office")));
        ASSERT_TRUE(store.set_client("home", home.settings, home.expires_at));
        ASSERT_TRUE(store.set_client_use("home", {682, 1, false}));
        ASSERT_TRUE(store.set_client_use("home", home.use));
    }
    {
        auto store = must_open();
        EXPECT_THAT(store.load_all()->clients, ElementsAre(home, client_named("office")));
        ASSERT_TRUE(change_settings(home.settings, {{"ports", {}}, {"max_mappings", {"7"}}}));
        home.expires_at.reset();
        ASSERT_TRUE(store.set_client("home", home.settings, std::nullopt));
    }
    auto store = must_open();
    EXPECT_THAT(store.load_all()->clients, ElementsAre(home, client_named("office")));
    EXPECT_EQ(store.set_client("nobody", {}, std::nullopt).error().code, Errc::not_found);
    EXPECT_EQ(store.set_client_use("nobody", {}).error().code, Errc::not_found);
    ASSERT_TRUE(store.remove_client("home"));
    ASSERT_TRUE(store.add_client(client_named("home")));
    EXPECT_EQ(store.load_all()->clients.at(0), client_named("home")) << "nothing of the old one is left";
}

TEST_F(StoreTest, TimesAreKeptToTheSecond) {
    auto client = client_named("home");
    client.created_at = at(1'700'000'000) + std::chrono::milliseconds(750);
    auto store = must_open();
    ASSERT_TRUE(store.add_client(client));
    EXPECT_EQ(store.load_all()->clients.at(0).created_at, at(1'700'000'000));
}

TEST_F(StoreTest, AddingAClientTwiceIsRefusedAndKeepsTheFirst) {
    auto store = must_open();
    ASSERT_TRUE(store.add_client(client_named("home")));
    auto second = client_named("home");
    second.stored_key.fill(9);
    auto added = store.add_client(second);
    ASSERT_FALSE(added);
    EXPECT_EQ(added.error().code, Errc::exists);
    EXPECT_THAT(added.error().message, HasSubstr("\"home\" exists already"));
    EXPECT_THAT(store.load_all()->clients, ElementsAre(client_named("home")));
}

TEST_F(StoreTest, RotatingReplacesTheKeyOfThatClientOnly) {
    auto store = must_open();
    ASSERT_TRUE(store.add_client(client_named("home")));
    ASSERT_TRUE(store.add_client(client_named("office")));
    auto rotated = client_named("home");
    rotated.stored_key.fill(7);
    ASSERT_TRUE(store.set_client_key("home", rotated.stored_key));
    EXPECT_THAT(store.load_all()->clients, ElementsAre(rotated, client_named("office")));

    auto unknown = store.set_client_key("nobody", rotated.stored_key);
    ASSERT_FALSE(unknown);
    EXPECT_EQ(unknown.error().code, Errc::not_found);
    EXPECT_THAT(unknown.error().message, HasSubstr("there is no client \"nobody\""));
}

TEST_F(StoreTest, RemovingAClientTakesAllThatBelongsToIt) {
    auto store = must_open();
    for (const std::string name : {"home", "office"}) {
        ASSERT_TRUE(store.add_client(client_named(name)));
        ASSERT_TRUE(store.add_mapping(mapping_of(name, "ssh")));
        ASSERT_TRUE(store.set_paused(name, "ssh", true));
        ASSERT_TRUE(store.set_assigned_port(name, "web", 40001));
    }
    ASSERT_TRUE(store.remove_client("home"));
    auto all = store.load_all();
    EXPECT_THAT(all->clients, ElementsAre(client_named("office")));
    EXPECT_THAT(all->mappings, ElementsAre(mapping_of("office", "ssh")));
    EXPECT_THAT(all->paused, ElementsAre(PausedMapping{"office", "ssh"}));
    EXPECT_THAT(all->assigned_ports, ElementsAre(AssignedPort{"office", "web", 40001}));

    EXPECT_EQ(store.remove_client("home").error().code, Errc::not_found);
}

TEST_F(StoreTest, AMappingNameIsUniqueWithinItsClient) {
    auto store = must_open();
    ASSERT_TRUE(store.add_client(client_named("home")));
    ASSERT_TRUE(store.add_client(client_named("office")));
    ASSERT_TRUE(store.add_mapping(mapping_of("home", "ssh")));
    ASSERT_TRUE(store.add_mapping(mapping_of("office", "ssh")));
    auto again = store.add_mapping(mapping_of("home", "ssh"));
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().code, Errc::exists);
    EXPECT_THAT(again.error().message, HasSubstr("client \"home\" has a mapping \"ssh\" already"));
}

TEST_F(StoreTest, WhatNamesAMissingClientIsRefusedAndLeavesNothing) {
    auto store = must_open();
    EXPECT_EQ(store.add_mapping(mapping_of("nobody", "ssh")).error().code, Errc::not_found);
    EXPECT_EQ(store.set_paused("nobody", "ssh", true).error().code, Errc::not_found);
    EXPECT_EQ(store.set_assigned_port("nobody", "ssh", 40001).error().code, Errc::not_found);
    auto all = store.load_all();
    EXPECT_THAT(all->mappings, IsEmpty());
    EXPECT_THAT(all->paused, IsEmpty());
    EXPECT_THAT(all->assigned_ports, IsEmpty());
    // The failed transactions are over: the store goes on.
    EXPECT_TRUE(store.add_client(client_named("home")));
}

TEST_F(StoreTest, RemovingAMappingForgetsItsPauseAndPort) {
    auto store = must_open();
    ASSERT_TRUE(store.add_client(client_named("home")));
    for (const std::string name : {"ssh", "web"}) {
        ASSERT_TRUE(store.add_mapping(mapping_of("home", name)));
        ASSERT_TRUE(store.set_paused("home", name, true));
        ASSERT_TRUE(store.set_assigned_port("home", name, 40001));
    }
    ASSERT_TRUE(store.remove_mapping("home", "ssh"));
    auto all = store.load_all();
    EXPECT_THAT(all->mappings, ElementsAre(mapping_of("home", "web")));
    EXPECT_THAT(all->paused, ElementsAre(PausedMapping{"home", "web"}));
    EXPECT_THAT(all->assigned_ports, ElementsAre(AssignedPort{"home", "web", 40001}));
}

TEST_F(StoreTest, ARefusedRemovalOfAMappingKeepsThePauseOfAClientsOwn) {
    auto store = must_open();
    ASSERT_TRUE(store.add_client(client_named("home")));
    ASSERT_TRUE(store.set_paused("home", "declared", true));
    auto removed = store.remove_mapping("home", "declared");
    ASSERT_FALSE(removed);
    EXPECT_EQ(removed.error().code, Errc::not_found);
    EXPECT_THAT(store.load_all()->paused, ElementsAre(PausedMapping{"home", "declared"}));
}

TEST_F(StoreTest, PausingAndResumingCanBeRepeated) {
    auto store = must_open();
    ASSERT_TRUE(store.add_client(client_named("home")));
    ASSERT_TRUE(store.set_paused("home", "ssh", true));
    ASSERT_TRUE(store.set_paused("home", "ssh", true));
    EXPECT_THAT(store.load_all()->paused, ElementsAre(PausedMapping{"home", "ssh"}));
    ASSERT_TRUE(store.set_paused("home", "ssh", false));
    ASSERT_TRUE(store.set_paused("home", "ssh", false));
    EXPECT_THAT(store.load_all()->paused, IsEmpty());
}

TEST_F(StoreTest, DrainedMembersAreKeptUntilTheirMappingOrClientGoes) {
    const DrainedMember web{"home", "web", "127.0.0.1:8002"};
    const DrainedMember declared{"home", "declared", "unix:/run/a.sock"};
    {
        auto store = must_open();
        ASSERT_TRUE(store.add_client(client_named("home")));
        ASSERT_TRUE(store.add_mapping(mapping_of("home", "web")));
        for (int i = 0; i < 2; ++i) {
            ASSERT_TRUE(store.set_drained(web, true));
            ASSERT_TRUE(store.set_drained(declared, true));
        }
        EXPECT_EQ(store.set_drained({"nobody", "web", "x"}, true).error().code, Errc::not_found);
    }
    auto store = must_open();
    EXPECT_THAT(store.load_all()->drained, ElementsAre(declared, web));
    ASSERT_TRUE(store.remove_mapping("home", "web"));
    EXPECT_THAT(store.load_all()->drained, ElementsAre(declared));
    ASSERT_TRUE(store.set_drained(declared, false));
    ASSERT_TRUE(store.set_drained(declared, false));
    EXPECT_THAT(store.load_all()->drained, IsEmpty());
    ASSERT_TRUE(store.set_drained(declared, true));
    ASSERT_TRUE(store.remove_client("home"));
    EXPECT_THAT(store.load_all()->drained, IsEmpty());
}

TEST_F(StoreTest, AnAssignedPortIsReplacedAndForgotten) {
    auto store = must_open();
    ASSERT_TRUE(store.add_client(client_named("home")));
    ASSERT_TRUE(store.set_assigned_port("home", "web", 40001));
    ASSERT_TRUE(store.set_assigned_port("home", "web", 65535));
    EXPECT_THAT(store.load_all()->assigned_ports, ElementsAre(AssignedPort{"home", "web", 65535}));
    EXPECT_EQ(store.set_assigned_port("home", "web", 0).error().code, Errc::invalid);
    ASSERT_TRUE(store.remove_assigned_port("home", "web"));
    ASSERT_TRUE(store.remove_assigned_port("home", "web"));
    EXPECT_THAT(store.load_all()->assigned_ports, IsEmpty());
}

}  // namespace
}  // namespace tunnel::server
