// Another config while running: only what changed is touched, and a bad file changes nothing.

#include "common/config/files.hpp"
#include "tests/integration/support/tunnel_test.hpp"

namespace tunnel::test {
namespace {

using testing::HasSubstr;

bool ping(Peer& visitor) {
    return visitor.send("ping") && visitor.receive_text(4) == "ping";
}

TEST_F(TunnelTest, AClientsReloadAddsRemovesAndLeavesTheRestAlone) {
    const Service service(echo);
    const Service other([](Peer& peer) { peer.send("other"); });
    start_server();
    auto& client =
        start_client(mapping_toml("kept", service.address()) + mapping_toml("dropped", service.address()) +
                     mapping_toml("moved", service.address()));
    const auto kept = client.listening("kept");
    const auto dropped = client.listening("dropped");
    const auto moved = client.listening("moved");
    auto on_kept = Peer::connect(kept);
    auto on_dropped = Peer::connect(dropped);
    auto on_moved = Peer::connect(moved);
    ASSERT_TRUE(ping(on_kept) && ping(on_dropped) && ping(on_moved));

    client.write_config(mapping_toml("new", other.address()) + mapping_toml("moved", other.address()) +
                        mapping_toml("kept", service.address()));
    client.request_reload();
    const auto added = client.listening("new");
    ASSERT_NE(added, 0);
    EXPECT_EQ(Peer::connect(added).receive_text(5), "other");
    EXPECT_TRUE(eventually([&] { return client.state("dropped").name.empty(); }));
    EXPECT_THROW((void)Peer::connect(dropped), std::system_error);
    EXPECT_EQ(on_dropped.receive_all().end, End::reset) << "a mapping that is gone serves nobody";
    // Another service needs no other listener, and whoever is being served stays with the old one.
    EXPECT_EQ(client.listening("moved"), moved);
    EXPECT_EQ(Peer::connect(moved).receive_text(5), "other");
    EXPECT_TRUE(ping(on_moved));
    EXPECT_TRUE(ping(on_kept));
    EXPECT_EQ(logs.count({"server", "mapping listening", "mapping=kept"}), 1u);
    EXPECT_EQ(logs.count({"server", "session opened"}), 1u);
}

TEST_F(TunnelTest, AClientsBadFileChangesNothing) {
    const Service service(echo);
    start_server();
    auto& client = start_client(mapping_toml("web", service.address()));
    const auto port = client.listening("web");
    auto visitor = Peer::connect(port);
    ASSERT_TRUE(ping(visitor));
    client.write_config("no_such_key = 1\n[[mapping]]\nname = \"bad name\"\ntcp = 0\nto = \"nonsense\"\n");
    client.request_reload();
    ASSERT_TRUE(eventually([&] { return logs.has({"client1", "config reload refused", "no_such_key"}); }));
    EXPECT_TRUE(logs.has({"client1", "config reload refused", "nonsense"})) << "not every problem was told";
    EXPECT_TRUE(ping(visitor));
    EXPECT_EQ(client.state("web").port, port);
}

TEST_F(TunnelTest, AClientsNewSecretIsUsedAfterAReload) {
    const Service service(echo);
    start_server();
    auto& client = start_client(mapping_toml("web", service.address()));
    const auto port = client.listening("web");
    const auto link = client_link("rotate", "home");
    ASSERT_TRUE(eventually([&] { return logs.has({"client1", "secret of this client was changed"}); }));
    client.write_link(link, mapping_toml("web", service.address()));
    client.request_reload();
    EXPECT_TRUE(eventually([&] { return logs.count({"client1", "client ready"}) == 2; }));
    EXPECT_EQ(client.listening("web"), port);
}

TEST_F(TunnelTest, AServersReloadAppliesItsRulesAndDisturbsNoVisitor) {
    const Service service(echo);
    start_server();
    const auto web = mapping_toml("web", service.address());
    auto& client = start_client(web);
    const auto before = client.listening("web");
    auto visitor = Peer::connect(before);
    ASSERT_TRUE(ping(visitor));

    // The port that the server chose is no longer among those it may choose.
    const auto only = refuse_on_loopback().port;
    server->write_config("allow_ports = [\"" + std::to_string(only) + "\"]\n");
    server->request_reload();
    EXPECT_TRUE(eventually([&] { return client.state("web").port == only; }));
    EXPECT_THROW((void)Peer::connect(before), std::system_error);
    auto second = Peer::connect(client.listening("web"));
    EXPECT_TRUE(ping(second));
    EXPECT_TRUE(ping(visitor));

    // The next wish is judged by these rules.
    auto wish = only;
    while (wish == only) wish = refuse_on_loopback().port;
    client.write_config(web + mapping_toml("more", service.address(), true, wish));
    client.request_reload();
    ASSERT_TRUE(eventually([&] { return client.state("more").state == "refused"; }));
    EXPECT_EQ(client.state("more").error_code, "not_allowed");
    EXPECT_THAT(client.state("more").error, HasSubstr("allow_ports"));

    // And once the rules let it, it listens, without the client doing anything.
    server->write_config("");
    server->request_reload();
    EXPECT_EQ(client.listening("more"), wish);
    EXPECT_TRUE(ping(visitor));
    EXPECT_EQ(logs.count({"server", "session opened"}), 1u);
}

TEST_F(TunnelTest, AServersBadFileChangesNothing) {
    const Service service(echo);
    start_server();
    auto& client = start_client(mapping_toml("web", service.address()));
    const auto port = client.listening("web");
    auto visitor = Peer::connect(port);
    ASSERT_TRUE(ping(visitor));
    server->write_config("grace = \"soon\"\nallow_ports = [\"0-99999\"]\n");
    server->request_reload();
    ASSERT_TRUE(eventually([&] { return logs.has({"server", "config reload refused", "grace"}); }));
    EXPECT_TRUE(logs.has({"server", "config reload refused", "allow_ports"})) << "not every problem was told";
    EXPECT_TRUE(ping(visitor));
    auto second = Peer::connect(port);
    EXPECT_TRUE(ping(second));

    // A key that is none: nor does that touch the running server.
    server->write_config("[tls]\nkey = \"nowhere.key\"\n");
    server->request_reload();
    ASSERT_TRUE(eventually([&] { return logs.has({"server", "config reload refused", "nowhere.key"}); }));
    EXPECT_TRUE(ping(visitor));
}

TEST_F(TunnelTest, WhatNeedsARestartIsSaidAndKeepsItsValue) {
    start_server();
    server->write_config("[store]\npath = \"other.db\"\n");
    server->request_reload();
    ASSERT_TRUE(eventually([&] { return logs.has({"setting needs a restart", "store.path"}); }));
    EXPECT_FALSE(std::filesystem::exists(folder / "other.db"));
    EXPECT_NE(client_link("add", "office"), "");
}

}  // namespace
}  // namespace tunnel::test
