// Who may sit in a client's seat: takeover, expose beside run, rotation and removal.

#include "tests/integration/support/tunnel_test.hpp"

namespace tunnel::test {
namespace {

using testing::HasSubstr;

bool works(Port port) {
    auto visitor = Peer::connect(port);
    visitor.send("ping");
    return visitor.receive_text(4) == "ping";
}

TEST_F(TunnelTest, ASecondMachineTakesOverAndTheFirstComesBackWhenItLeaves) {
    const Service first_service([](Peer& peer) { peer.send("first"); });
    const Service second_service([](Peer& peer) { peer.send("second"); });
    start_server();
    auto& first = start_client(mapping_toml("service", first_service.address()));
    const auto port = first.listening("service");
    EXPECT_EQ(Peer::connect(port).receive_text(5), "first");

    auto& second = start_client(mapping_toml("service", second_service.address()));
    ASSERT_EQ(second.listening("service"), port);
    EXPECT_EQ(Peer::connect(port).receive_text(6), "second");
    EXPECT_TRUE(eventually([&] { return logs.has({"client1", "standing by", "two machines"}); }));
    EXPECT_EQ(session_list().sessions_size(), 1);
    EXPECT_TRUE(logs.has({"server", "session taken over"}));

    end_client(second);
    EXPECT_TRUE(eventually([&] { return logs.count({"client1", "client ready"}) == 2; }));
    EXPECT_TRUE(eventually([&] { return Peer::connect(port).receive_text(5) == "first"; }));
    EXPECT_FALSE(logs.has({"client2", "standing by"})) << "the two took the seat from each other in turns";
}

TEST_F(TunnelTest, AnExposeStandsBesideRunAndGoesAlone) {
    const Service run_service(echo);
    const Service expose_service([](Peer& peer) {
        peer.send("exposed");
        echo(peer);
    });
    start_server();
    auto& run = start_client(mapping_toml("web", run_service.address()));
    auto& expose = start_client(mapping_toml("ssh", expose_service.address()), "ssh");
    const auto web = run.listening("web");
    const auto ssh = expose.listening("ssh");
    ASSERT_NE(web, 0);
    ASSERT_NE(ssh, 0);
    EXPECT_TRUE(works(web));
    auto visitor = Peer::connect(ssh);
    EXPECT_EQ(visitor.receive_text(7), "exposed");
    EXPECT_EQ(session_list().sessions_size(), 2);

    end_client(expose);
    // It left for good: no grace, its listener is closed at once.
    EXPECT_TRUE(eventually([&] { return mapping_list().mappings_size() == 1; }));
    EXPECT_THROW((void)Peer::connect(ssh), std::system_error);
    EXPECT_TRUE(works(web));
}

TEST_F(TunnelTest, AResidentClientThatStopsLeavesItsListenersForTheGraceTime) {
    const Service service(echo);
    start_server();
    auto& client = start_client(mapping_toml("web", service.address()));
    const auto port = client.listening("web");
    ASSERT_NE(port, 0);
    end_client(client);
    EXPECT_TRUE(eventually([&] { return mapping_show("web").state() == "waiting"; }));
    auto early = Peer::connect(port);
    early.send("early");
    auto& again = start_client(mapping_toml("web", service.address()));
    EXPECT_EQ(early.receive_text(5), "early");
    EXPECT_EQ(again.listening("web"), port);
}

TEST_F(TunnelTest, ARotatedSecretThrowsTheSessionOutAndIsRefusedFromThenOn) {
    const Service service(echo);
    start_server();
    auto& client = start_client(mapping_toml("web", service.address()));
    ASSERT_NE(client.listening("web"), 0);
    const auto link = client_link("rotate", "home");
    EXPECT_TRUE(eventually([&] { return session_list().sessions_size() == 0; }));
    EXPECT_TRUE(eventually([&] { return logs.has({"client1", "secret of this client was changed"}); }));
    EXPECT_FALSE(client.stopped()) << "a client that worked before tries for ever";

    auto& stale = start_client(mapping_toml("web", service.address()));
    ASSERT_TRUE(eventually([&] { return stale.stopped(); }));
    ASSERT_TRUE(stale.failure());
    EXPECT_THAT(stale.failure()->message, HasSubstr("does not accept this join link"));
    EXPECT_GE(status().refused_logins(), 1u);

    use_link("home", link);
    EXPECT_NE(start_client(mapping_toml("web", service.address())).listening("web"), 0);
}

TEST_F(TunnelTest, ARemovedClientIsThrownOutWithItsVisitorsAndMappings) {
    const Service service(echo);
    start_server();
    auto& client = start_client(mapping_toml("web", service.address()));
    const auto port = client.listening("web");
    mapping_add("added", service.address());
    auto visitor = Peer::connect(port);
    visitor.send("x");
    ASSERT_EQ(visitor.receive_text(1), "x");
    client_remove("home");
    EXPECT_EQ(visitor.receive_all().end, End::reset);
    EXPECT_EQ(mapping_list().mappings_size(), 0);
    EXPECT_TRUE(eventually([&] { return session_list().sessions_size() == 0; }));
    EXPECT_THROW((void)Peer::connect(port), std::system_error);
    EXPECT_TRUE(eventually([&] { return logs.has({"client1", "was removed"}); }));
    EXPECT_EQ(status().clients(), 0u);
}

TEST_F(TunnelTest, AnExpiredClientIsThrownOutAndItsListenersAreClosed) {
    const Service service(echo);
    start_server();
    proto::AdminRequest request;
    request.mutable_client_add()->set_name("guest");
    const auto soon = std::chrono::system_clock::now() + Seconds(2);
    request.mutable_client_add()->set_expires_at(std::chrono::system_clock::to_time_t(soon));
    use_link("guest", server->ask(request).client_link().link());
    auto& client = start_client(mapping_toml("web", service.address()), "", "guest");
    const auto port = client.listening("web");
    ASSERT_NE(port, 0);
    EXPECT_TRUE(eventually([&] { return session_list().sessions_size() == 0; }));
    EXPECT_TRUE(eventually([&] { return mapping_list().mappings_size() == 0; }));
    EXPECT_THROW((void)Peer::connect(port), std::system_error);
    EXPECT_TRUE(eventually([&] { return logs.has({"client1", "has expired"}); }));

    auto& late = start_client(mapping_toml("web", service.address()), "", "guest");
    ASSERT_TRUE(eventually([&] { return late.stopped(); }));
    ASSERT_TRUE(late.failure());
    EXPECT_THAT(late.failure()->message, HasSubstr("expired"));
}

TEST_F(TunnelTest, AClosedSessionComesBackByItself) {
    const Service service(echo);
    start_server();
    auto& client = start_client(mapping_toml("web", service.address()));
    const auto port = client.listening("web");
    proto::AdminRequest request;
    request.mutable_session_close()->set_name("home");
    EXPECT_FALSE(server->ask(request).has_error());
    EXPECT_TRUE(eventually([&] { return logs.count({"client1", "client ready"}) == 2; }));
    EXPECT_EQ(client.listening("web"), port);
    EXPECT_TRUE(works(port));
    request.mutable_session_close()->set_name("nobody");
    EXPECT_EQ(refused(request).code(), "not_found");
}

TEST_F(TunnelTest, AWrongPinIsNotTrusted) {
    start_server();
    auto link = link_of("home");
    const auto pin = link.find("pin=") + 4;
    link[pin] = link[pin] == 'A' ? 'B' : 'A';
    use_link("home", link);
    auto& client = start_client("");
    ASSERT_TRUE(eventually([&] { return client.stopped(); }));
    ASSERT_TRUE(client.failure());
    EXPECT_EQ(client.failure()->code, Errc::unauthenticated);
    EXPECT_EQ(session_list().sessions_size(), 0);
}

TEST_F(TunnelTest, TwoClientsHaveNamesOfTheirOwn) {
    const Service one([](Peer& peer) { peer.send("one"); });
    const Service two([](Peer& peer) { peer.send("two"); });
    start_server();
    auto& home = start_client(mapping_toml("web", one.address()), "", "home");
    auto& office = start_client(mapping_toml("web", two.address()), "", "office");
    EXPECT_EQ(Peer::connect(home.listening("web")).receive_text(3), "one");
    EXPECT_EQ(Peer::connect(office.listening("web")).receive_text(3), "two");
    proto::AdminRequest request;
    request.mutable_mapping_show()->set_name("web");
    EXPECT_EQ(refused(request).code(), "conflict");
}

}  // namespace
}  // namespace tunnel::test
