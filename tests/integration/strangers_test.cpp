// Strangers on the tunnel port: replays, garbage, and those who say nothing.

#include <algorithm>

#include "tests/integration/support/tls_peer.hpp"
#include "tests/integration/support/tunnel_test.hpp"

namespace tunnel::test {
namespace {

class StrangersTest : public TunnelTest {
  protected:
    // A server and a client that serves "service".
    void start(const std::string& server_options = "[limits]\nready_per_client = 0\n") {
        start_server(server_options);
        start_proxy();
        port_ = start_client(mapping_toml("service", service_.address())).listening("service");
        ASSERT_NE(port_, 0);
    }
    bool serves() {
        auto visitor = Peer::connect(port_);
        return visitor.send("ping") && visitor.receive_text(4) == "ping";
    }
    // A connection to the tunnel port that begins so, and what comes back until its end.
    Received say(BytesView bytes) {
        auto stranger = Peer::connect(server->port());
        stranger.send(bytes);
        return stranger.receive_all();
    }

  private:
    const Service service_{echo};
    Port port_ = 0;
};

TEST_F(StrangersTest, AReplayedDataConnectionIsRefusedAndCounted) {
    start();
    ASSERT_TRUE(serves());
    ASSERT_EQ(proxy->prefaces().size(), 1u);
    EXPECT_EQ(status().refused_tickets(), 0u);
    for (std::uint64_t times = 1; times <= 3; ++times) {
        const auto received = say(proxy->prefaces()[0]);
        EXPECT_NE(received.end, End::timeout);
        EXPECT_TRUE(received.bytes.empty());
        EXPECT_EQ(status().refused_tickets(), times);
    }
    EXPECT_EQ(status().garbage_connections(), 0u);
    EXPECT_TRUE(logs.has({"data connection refused", "used before"}));
    EXPECT_TRUE(serves());
}

TEST_F(StrangersTest, AReplayWhileAVisitorWaitsDoesNotGetIt) {
    start();
    ASSERT_TRUE(serves());
    proxy->hold(Proxy::Kind::data, true);
    auto visitor = Peer::connect(static_cast<Port>(mapping_show("service").port()));
    visitor.send("secret");
    ASSERT_TRUE(
        eventually([&] { return proxy->open(Proxy::Kind::data) >= 1 && status().visitors_total() == 2; }));
    EXPECT_TRUE(say(proxy->prefaces()[0]).bytes.empty());
    proxy->hold(Proxy::Kind::data, false);
    EXPECT_EQ(visitor.receive_text(6), "secret");
}

TEST_F(StrangersTest, AForeignOrForgedTicketIsRefused) {
    start();
    ASSERT_TRUE(serves());
    auto forged = proxy->prefaces()[0];
    forged[23] = static_cast<Byte>(forged[23] + 1);  // the next ticket's number
    EXPECT_TRUE(say(forged).bytes.empty());
    auto foreign = proxy->prefaces()[0];
    foreign[8] ^= 0xff;  // another session
    EXPECT_TRUE(say(foreign).bytes.empty());
    EXPECT_EQ(status().refused_tickets(), 2u);
    EXPECT_TRUE(logs.has({"data connection refused", "its session is not connected"}));
    EXPECT_TRUE(serves());
}

TEST_F(StrangersTest, GarbageIsClosedCountedAndHarmless) {
    start();
    auto noise = pattern(100'000, 3);
    noise[0] = 0;
    for (const std::string_view garbage :
         {std::string_view("GET / HTTP/1.1\r\n\r\n"), std::string_view("SSH-2.0-OpenSSH_9.2\r\n"),
          std::string_view("\n"), text_of(noise)})
        EXPECT_NE(say(view_of(garbage)).end, End::timeout) << garbage.substr(0, 20);
    EXPECT_EQ(status().garbage_connections(), 4u);
    // Looks like TLS, and is none.
    Bytes half_tls{0x16, 0x03, 0x01, 0x00, 0x05};
    append(half_tls, pattern(64));
    EXPECT_NE(say(half_tls).end, End::timeout);
    // Looks like a preface of a version that is to come.
    wire::PrefaceBytes newer{'T', 'N', 'L', 'D', 2};
    EXPECT_NE(say(newer).end, End::timeout);
    EXPECT_EQ(status().refused_tickets(), 1u);
    EXPECT_TRUE(serves());
    EXPECT_FALSE(logs.has({"bug in"}));
}

TEST_F(StrangersTest, ThoseWhoSayNothingDisturbNobody) {
    start();
    std::vector<Peer> silent;
    for (int i = 0; i < 100; ++i) {
        silent.push_back(Peer::connect(server->port()));
        if (i % 4 == 1) silent.back().send("T");
        if (i % 4 == 2) silent.back().send(Bytes{0x16, 0x03});
        if (i % 4 == 3) silent.back().send("TNLD\1\0\0");
    }
    EXPECT_TRUE(serves());
    silent.clear();
    EXPECT_TRUE(serves());
}

TEST_F(StrangersTest, OnlySoManyStrangersAreLetIn) {
    start("[limits]\nunauthenticated = 8\nunauthenticated_per_address = 4\n");
    std::vector<Peer> silent;
    for (int i = 0; i < 12; ++i) silent.push_back(Peer::connect(server->port()));
    // The sockets are spread over the workers, so which four are let in is nobody's to say.
    const auto turned_away = [&] {
        return std::count_if(silent.begin(), silent.end(),
                             [](Peer& peer) { return peer.receive_all(Millis(5)).end != End::timeout; });
    };
    EXPECT_TRUE(eventually([&] { return turned_away() >= 8; }));
    EXPECT_EQ(turned_away(), 8);
    // The client's session was let in before and needs no place; its data connections do, for a moment.
    EXPECT_EQ(session_list().sessions_size(), 1);
    silent.clear();
    // A visitor whose data connection comes before the strangers' places are free is lost.
    EXPECT_TRUE(eventually([&] {
        auto visitor = Peer::connect(static_cast<Port>(mapping_show("service").port()));
        visitor.send("ping");
        visitor.finish();
        return text_of(visitor.receive_all(Seconds(1)).bytes) == "ping";
    }));
}

TEST_F(StrangersTest, AStrangerWithinTlsWhoNeverLogsInIsNoSession) {
    start();
    auto stranger = TlsPeer::client(link_of("home"));
    stranger.send_hello();
    EXPECT_EQ(session_list().sessions_size(), 1);
    EXPECT_TRUE(serves());
}

}  // namespace
}  // namespace tunnel::test
