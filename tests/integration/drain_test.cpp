// The end of each program: running visitors finish, new ones are not taken, and a second request cuts.

#include "tests/integration/support/tunnel_test.hpp"

namespace tunnel::test {
namespace {

TEST_P(BothModes, AServerThatStopsLetsARunningTransferFinish) {
    const Service service(echo);
    start_server();
    const auto port = expose(service);
    auto visitor = Peer::connect(port);
    visitor.send("before");
    ASSERT_EQ(visitor.receive_text(6), "before");
    server->request_stop();
    ASSERT_TRUE(eventually([&] { return logs.has({"server", "draining", "visitors=1"}); }));
    EXPECT_THROW((void)Peer::connect(port), std::system_error);
    EXPECT_THROW((void)Peer::connect(server->port()), std::system_error);
    EXPECT_TRUE(status().draining());
    EXPECT_FALSE(server->stopped());
    const auto bytes = pattern(3'000'000);
    const auto received = send_and_receive(visitor, bytes);
    EXPECT_EQ(received.end, End::orderly);
    EXPECT_TRUE(received.bytes == bytes);
    EXPECT_TRUE(eventually([&] { return server->stopped(); }));
    EXPECT_TRUE(logs.has({"server", "drained", "cut=0"}));
}

TEST_P(BothModes, AClientThatStopsLetsARunningTransferFinish) {
    const Service service(echo);
    start_server("grace = \"100ms\"\n");
    auto& client = start_client(mapping_toml("service", service.address(), encrypted()));
    auto visitor = Peer::connect(client.listening("service"));
    visitor.send("before");
    ASSERT_EQ(visitor.receive_text(6), "before");
    client.request_stop();
    ASSERT_TRUE(eventually([&] { return logs.has({"client1", "draining", "visitors=1"}); }));
    EXPECT_TRUE(eventually([&] { return session_list().sessions_size() == 0; }));
    EXPECT_FALSE(client.stopped());
    const auto bytes = pattern(3'000'000);
    const auto received = send_and_receive(visitor, bytes);
    EXPECT_EQ(received.end, End::orderly);
    EXPECT_TRUE(received.bytes == bytes);
    EXPECT_TRUE(eventually([&] { return client.stopped(); }));
    EXPECT_FALSE(client.failure());
}

TEST_P(BothModes, ASecondRequestCutsWithAReset) {
    const Service service(echo);
    start_server();
    auto visitor = Peer::connect(expose(service));
    visitor.send("x");
    ASSERT_EQ(visitor.receive_text(1), "x");
    server->request_stop();
    ASSERT_TRUE(eventually([&] { return logs.has({"server", "draining"}); }));
    EXPECT_FALSE(server->stopped());
    server->request_stop();
    EXPECT_EQ(visitor.receive_all().end, End::reset);
    EXPECT_TRUE(eventually([&] { return server->stopped(); }));
    EXPECT_TRUE(logs.has({"server", "drained", "cut=1"}));
    EXPECT_TRUE(eventually([&] { return service.running() == 0; }));
}

TEST_F(TunnelTest, AClientsSecondRequestCutsToo) {
    const Service service(echo);
    start_server();
    auto& client = start_client(mapping_toml("service", service.address()));
    auto visitor = Peer::connect(client.listening("service"));
    visitor.send("x");
    ASSERT_EQ(visitor.receive_text(1), "x");
    client.request_stop();
    ASSERT_TRUE(eventually([&] { return logs.has({"client1", "draining"}); }));
    client.request_stop();
    EXPECT_EQ(visitor.receive_all().end, End::reset);
    EXPECT_TRUE(eventually([&] { return client.stopped(); }));
}

TEST_F(TunnelTest, TheDrainTimeIsKept) {
    const Service service(echo);
    start_server("drain = \"300ms\"\n");
    auto& client = start_client(mapping_toml("service", service.address()));
    auto visitor = Peer::connect(client.listening("service"));
    visitor.send("x");
    ASSERT_EQ(visitor.receive_text(1), "x");
    const auto before = Clock::now();
    server->request_stop();
    EXPECT_EQ(visitor.receive_all().end, End::reset);
    EXPECT_GE(Clock::now() - before, Millis(300));
    EXPECT_TRUE(eventually([&] { return server->stopped(); }));
}

TEST_F(TunnelTest, AnIdleServerStopsAtOnceAndItsClientsAreTold) {
    start_server();
    auto& client = start_client("");
    ASSERT_TRUE(eventually([&] { return session_list().sessions_size() == 1; }));
    const auto before = Clock::now();
    server->request_stop();
    EXPECT_TRUE(eventually([&] { return server->stopped(); }));
    EXPECT_LT(Clock::now() - before, Seconds(3));
    EXPECT_TRUE(eventually([&] { return logs.has({"client1", "reconnecting", "shutting down"}); }));
    EXPECT_FALSE(client.stopped());
}

TEST_F(TunnelTest, AServerWithWaitingVisitorsAndStrangersStops) {
    const Service service(echo);
    start_server("drain = \"1s\"\n");
    start_proxy();
    auto& client = start_client(mapping_toml("service", service.address()));
    const auto port = client.listening("service");
    auto stranger = Peer::connect(server->port());
    stranger.send(Bytes{0x16});
    proxy->close_door(true);
    proxy->cut(Proxy::Kind::control);
    ASSERT_TRUE(eventually([&] { return mapping_show("service").state() == "waiting"; }));
    auto waiting = Peer::connect(port);
    ASSERT_TRUE(eventually([&] { return status().visitors_total() == 1; }));
    server->request_stop();
    EXPECT_EQ(waiting.receive_all().end, End::reset);
    EXPECT_TRUE(eventually([&] { return server->stopped(); }));
}

}  // namespace
}  // namespace tunnel::test
