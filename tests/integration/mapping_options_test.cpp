// Options of a mapping from its owner's words to what they do, and how they change while visitors are served.

#include "tests/integration/support/tunnel_test.hpp"

namespace tunnel::test {
namespace {

using testing::HasSubstr;

bool ping(Peer& visitor) {
    return visitor.send("ping") && visitor.receive_text(4) == "ping";
}

TEST_F(TunnelTest, AnIdleVisitorIsEndedAndABusyOneStays) {
    const Service service(echo);
    start_server();
    auto& client = start_client(mapping_toml("web", service.address()) + "idle_timeout = \"1s\"\n");
    const auto port = client.listening("web");
    auto idle = Peer::connect(port);
    auto busy = Peer::connect(port);
    ASSERT_TRUE(ping(idle) && ping(busy));
    ASSERT_TRUE(eventually([&] {
        return ping(busy) && logs.has({"server", "visitor closed", "reason=idle", "no byte for 1s"});
    }));
    EXPECT_EQ(idle.receive_all().end, End::reset);
    EXPECT_TRUE(ping(busy));
    EXPECT_EQ(logs.count({"server", "visitor closed"}), 1u);
}

TEST_F(TunnelTest, ALifetimeEndsAVisitorThatIsBusy) {
    const Service service(echo);
    start_server();
    auto& client = start_client("");
    ASSERT_TRUE(eventually([&] { return session_list().sessions_size() == 1; }));
    mapping_add_with("web", {{"to", service.address()}, {"lifetime", "1s"}});
    auto visitor = Peer::connect(client.listening("web"));
    EXPECT_TRUE(eventually([&] { return !ping(visitor); }));
    EXPECT_TRUE(eventually([&] { return logs.has({"server", "visitor closed", "reason=lifetime"}); }));
}

TEST_F(TunnelTest, OptionsAreShownAndChangeWithoutTouchingAnybody) {
    const Service service(echo);
    start_server();
    const auto web = mapping_toml("web", service.address());
    auto& client = start_client(web);
    const auto port = client.listening("web");
    auto visitor = Peer::connect(port);
    ASSERT_TRUE(ping(visitor));
    EXPECT_EQ(mapping_show("web").spec().options_size(), 0);

    client.write_config(web + "idle_timeout = \"1s\"\nkeepalive = \"20s\"\n");
    client.request_reload();
    ASSERT_TRUE(eventually([&] { return client.state("web").options == "idle_timeout=1s,keepalive=20s"; }));
    const auto shown = mapping_list().mappings(0).spec();
    ASSERT_EQ(shown.options_size(), 2);
    EXPECT_EQ(shown.options(0).name(), "idle_timeout");
    EXPECT_EQ(shown.options(0).value(), "1s");
    // Who comes now is bound by it, who was there is not.
    auto late = Peer::connect(port);
    ASSERT_TRUE(ping(late));
    EXPECT_EQ(late.receive_all().end, End::reset);
    EXPECT_TRUE(ping(visitor));
    EXPECT_EQ(logs.count({"server", "mapping listening"}), 1u);
    EXPECT_TRUE(eventually([&] {
        return logs.has({"client1", "mapping listening", "options=\"idle_timeout=1s,keepalive=20s\""});
    }));
}

TEST_F(TunnelTest, AnAdminsOptionsOutliveARestartOfTheServer) {
    const Service service(echo);
    const auto port = std::to_string(free_row(1).first);
    const auto options = "listen = [\"127.0.0.1:" + port + "\"]\n";
    start_server(options);
    (void)link_of("home");
    const auto path = (folder / "web.sock").string();
    mapping_add_with("web",
                     {{"to", service.address()}, {"unix", path}, {"lifetime", "1h"}, {"keepalive", "0"}});
    const auto before = mapping_show("web").SerializeAsString();
    server.reset();
    EXPECT_FALSE(std::filesystem::exists(path));
    start_server(options);
    EXPECT_EQ(mapping_show("web").SerializeAsString(), before);
    auto& client = start_client("");
    ASSERT_TRUE(eventually([&] { return client.state("web").state == "listening"; }));
    auto visitor = Peer::connect_to_path(path);
    EXPECT_TRUE(ping(visitor));
}

TEST_F(TunnelTest, BadWordsAreRefusedByTheServerToo) {
    start_server();
    (void)link_of("home");
    const auto sentence = [&](const Words& words) { return mapping_refused("web", words).message(); };
    EXPECT_THAT(sentence({{"to", "22"}, {"lifetime", "soon"}}),
                HasSubstr("lifetime: \"soon\" is not a duration"));
    EXPECT_THAT(sentence({{"to", "22-23"}}), HasSubstr("has 1 public port and 2 of the service"));
    EXPECT_THAT(sentence({{"to", "22"}, {"tcp", "80"}, {"unix", "/run/x"}}),
                HasSubstr("one public endpoint"));
    EXPECT_THAT(sentence({{"to", "22"}, {"unix", "/run/../x"}}), HasSubstr("not the path of a Unix socket"));
    EXPECT_EQ(mapping_list().mappings_size(), 0);
}

}  // namespace
}  // namespace tunnel::test
