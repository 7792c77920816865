// The control connection drops: running visitors go on, new ones wait for the client to come back.

#include "tests/integration/support/tunnel_test.hpp"

namespace tunnel::test {
namespace {

using testing::HasSubstr;

constexpr auto control = Proxy::Kind::control;
constexpr auto data = Proxy::Kind::data;

TEST_P(BothModes, RunningVisitorsSurviveACutControlConnection) {
    const Service service(echo);
    start_server();
    start_proxy();
    auto visitor = Peer::connect(expose(service));
    ASSERT_TRUE(visitor.send("before"));
    ASSERT_EQ(visitor.receive_text(6), "before");
    proxy->close_door(true);
    proxy->cut(control);
    ASSERT_TRUE(eventually([&] { return session_list().sessions_size() == 0; }));
    const auto bytes = pattern(2'000'000);
    const auto received = send_and_receive(visitor, bytes);
    EXPECT_EQ(received.end, End::orderly);
    EXPECT_TRUE(received.bytes == bytes);
}

TEST_P(BothModes, VisitorsWhoComeWhileTheClientIsAwayAreServedWhenItIsBack) {
    const Service service(echo);
    start_server();
    start_proxy();
    const auto port = expose(service);
    proxy->close_door(true);
    proxy->cut(control);
    ASSERT_TRUE(eventually([&] { return mapping_show("service").state() == "waiting"; }));
    std::vector<Peer> visitors;
    for (int i = 0; i < 20; ++i) {
        visitors.push_back(Peer::connect(port));
        visitors.back().send("early");
        visitors.back().finish();
    }
    EXPECT_EQ(service.accepted(), 0u);
    proxy->close_door(false);
    for (auto& visitor : visitors) {
        const auto received = visitor.receive_all();
        EXPECT_EQ(received.end, End::orderly);
        EXPECT_EQ(text_of(received.bytes), "early");
    }
    EXPECT_EQ(mapping_show("service").state(), "listening");
    EXPECT_EQ(mapping_show("service").port(), port);
}

TEST_F(TunnelTest, WhenTheGraceIsOverThoseWhoWaitAreResetAndTheListenerIsClosed) {
    const Service service(echo);
    start_server("grace = \"1500ms\"\n");
    start_proxy();
    const auto port = start_client(mapping_toml("service", service.address())).listening("service");
    mapping_add("by-admin", service.address());
    auto running = Peer::connect(port);
    ASSERT_TRUE(running.send("x"));
    ASSERT_EQ(running.receive_text(1), "x");
    proxy->close_door(true);
    proxy->cut(control);
    ASSERT_TRUE(eventually([&] { return mapping_show("service").state() == "waiting"; }));
    auto waiting = Peer::connect(port);
    EXPECT_EQ(waiting.receive_all().end, End::reset);
    EXPECT_TRUE(eventually([&] { return mapping_show("by-admin").state() == "offline"; }));
    EXPECT_EQ(mapping_list().mappings_size(), 1) << "what the client declared is still there";
    EXPECT_THROW((void)Peer::connect(port), std::system_error);
    EXPECT_TRUE(logs.has({"visitor refused", "did not come back"}));
    // Who was served already still is.
    ASSERT_TRUE(running.send("y"));
    EXPECT_EQ(running.receive_text(1), "y");

    proxy->close_door(false);
    EXPECT_TRUE(eventually([&] { return mapping_list().mappings_size() == 2; }));
    EXPECT_EQ(mapping_show("service").port(), port);
    EXPECT_EQ(mapping_show("by-admin").state(), "listening");
}

TEST_F(TunnelTest, TheSameProcessTakesItsSeatBackBeforeTheServerMissesIt) {
    const Service service(echo);
    start_server();
    start_proxy();
    auto& client = start_client("[heartbeat]\ninterval = \"100ms\"\ntimeout = \"500ms\"\n" +
                                mapping_toml("service", service.address()));
    const auto port = client.listening("service");
    ASSERT_NE(port, 0);
    ASSERT_EQ(session_list().sessions_size(), 1);
    // Nothing passes: the client gives up after its timeout; the server's is 30 seconds.
    proxy->hold(control, true);
    ASSERT_TRUE(eventually([&] { return logs.has({"client1", "reconnecting"}); }));
    proxy->hold(control, false);
    ASSERT_TRUE(eventually([&] { return logs.count({"client1", "client ready"}) >= 2; }));
    EXPECT_EQ(client.listening("service"), port);
    EXPECT_TRUE(eventually([&] { return session_list().sessions_size() == 1; }));
    EXPECT_FALSE(logs.has({"standing by"}));
    auto visitor = Peer::connect(port);
    ASSERT_TRUE(visitor.send("x"));
    EXPECT_EQ(visitor.receive_text(1), "x");
}

TEST_F(TunnelTest, ASilentClientIsNoticedAndItsVisitorsWait) {
    const Service service(echo);
    start_server("[heartbeat]\ninterval = \"100ms\"\ntimeout = \"400ms\"\n");
    start_proxy();
    const auto port = start_client(mapping_toml("service", service.address())).listening("service");
    proxy->close_door(true);
    proxy->hold(control, true);
    EXPECT_TRUE(eventually([&] { return mapping_show("service").state() == "waiting"; }));
    EXPECT_TRUE(logs.has({"server", "session closed", "silent"}));
    auto visitor = Peer::connect(port);
    visitor.send("x");
    proxy->hold(control, false);
    proxy->close_door(false);
    EXPECT_EQ(visitor.receive_text(1), "x");
}

TEST_F(TunnelTest, AHeartbeatIsMeasuredForTheAdmin) {
    start_server();
    (void)start_client("");
    EXPECT_TRUE(eventually([&] {
        const auto list = session_list();
        return list.sessions_size() == 1 && list.sessions(0).round_trip_us() > 0;
    }));
    const auto list = session_list();
    EXPECT_EQ(list.sessions(0).client(), "home");
    EXPECT_THAT(list.sessions(0).software(), HasSubstr("tunnel-client"));
    EXPECT_THAT(list.sessions(0).address(), HasSubstr("127.0.0.1:"));
}

// Ten visitors whose data connections hang on their way through the proxy.
class VisitorsInFlight : public TunnelTest {
  protected:
    void SetUp() override {
        TunnelTest::SetUp();
        start_server("[limits]\nready_per_client = 0\n");
        start_proxy();
        port = start_client(mapping_toml("service", service_.address())).listening("service");
        ASSERT_NE(port, 0);
        proxy->hold(data, true);
        for (int i = 0; i < 10; ++i) {
            visitors_.push_back(Peer::connect(port));
            visitors_.back().send("x");
            visitors_.back().finish();
        }
        ASSERT_TRUE(eventually([&] { return proxy->open(data) == 10; }));
    }
    void expect_all_answered() {
        proxy->hold(data, false);
        for (auto& visitor : visitors_) {
            const auto received = visitor.receive_all();
            EXPECT_EQ(received.end, End::orderly);
            EXPECT_EQ(text_of(received.bytes), "x");
        }
    }
    Port port = 0;

  private:
    const Service service_{echo};
    std::vector<Peer> visitors_;
};

TEST_F(VisitorsInFlight, AreNotLostWhenTheConnectionsDrop) {
    proxy->cut(data);
    proxy->cut(control);
    expect_all_answered();
}

TEST_F(VisitorsInFlight, HaveLostDataConnectionsDialledAgain) {
    proxy->cut(data);
    expect_all_answered();
    EXPECT_EQ(mapping_show("service").refused_total(), 0u);
    // Nor does a later visitor wait for the connection of the one after it.
    auto later = Peer::connect(port);
    ASSERT_TRUE(later.send("later"));
    EXPECT_EQ(later.receive_text(5), "later");
    EXPECT_EQ(logs.count({"server", "session opened"}), 1u);
}

TEST_F(TunnelTest, AfterARestartOfTheServerAllIsAsBefore) {
    const Service service(echo);
    start_server();
    start_proxy();
    auto& client = start_client(mapping_toml("chosen", service.address()));
    const auto chosen = client.listening("chosen");
    const auto added = mapping_add("added", service.address());
    mapping_add("held", service.address());
    mapping_pause("held");
    start_server();
    proxy->set_upstream(server->port());
    EXPECT_TRUE(eventually([&] { return mapping_list().mappings_size() == 3; }));
    EXPECT_EQ(client.listening("chosen"), chosen);
    EXPECT_EQ(mapping_show("chosen").port(), chosen);
    EXPECT_EQ(mapping_show("added").port(), added.port());
    EXPECT_EQ(mapping_show("held").state(), "paused");
    auto visitor = Peer::connect(chosen);
    ASSERT_TRUE(visitor.send("x"));
    EXPECT_EQ(visitor.receive_text(1), "x");
}

}  // namespace
}  // namespace tunnel::test
