// The ways to the server: through proxies, inside WebSocket, and which is tried when.

#include "common/config/join_link.hpp"
#include "tests/integration/support/datagrams.hpp"
#include "tests/integration/support/tunnel_test.hpp"
#include "tests/integration/support/way_stations.hpp"

namespace tunnel::test {
namespace {

using testing::HasSubstr;

constexpr std::size_t bulk = std::size_t{3} * 1024 * 1024;

// A client that comes by some way, with one mapping.
class WaysTo : public BothModes {
  protected:
    // The link with another server in it.
    std::string link_to(const HostPort& address) {
        auto link = config::parse_join_link(link_of("home"));
        link->server = address;
        return std::string(text_of(config::to_text(*link).reveal()));
    }
    Port port_by(const std::string& config) { return expose(service_, config); }
    void expect_bytes_both_ways(Port port) {
        ASSERT_NE(port, 0);
        auto visitor = Peer::connect(port);
        const auto sent = pattern(bulk, 11);
        const auto received = send_and_receive(visitor, sent);
        EXPECT_EQ(received.end, End::orderly);
        EXPECT_TRUE(received.bytes == sent);
    }
    const Service service_{echo};
};
INSTANTIATE_TEST_SUITE_P(Mode, WaysTo, testing::Bool(), mode_name);

TEST_P(WaysTo, InsideWebSocket) {
    start_server();
    expect_bytes_both_ways(port_by("way = \"websocket\"\n"));
    ASSERT_EQ(session_list().sessions_size(), 1);
    EXPECT_EQ(session_list().sessions(0).way(), "websocket");
    EXPECT_TRUE(logs.has({"client ready", "way=websocket"}));
    EXPECT_TRUE(idle());
    EXPECT_TRUE(logs.has({"server", "visitor closed", "reason=finished"}));
}

TEST_P(WaysTo, InsideWebSocketHalfCloseGoesOnAndAResetIsAReset) {
    const auto answer = pattern(1'000'000, 2);
    std::atomic<End> seen{End::timeout};
    const Service service([&](Peer& peer) {
        const auto asked = peer.receive_all();
        seen = asked.end;
        if (asked.end != End::orderly) return;
        peer.send(answer);
        peer.finish();
    });
    start_server();
    const auto port = expose(service, "way = \"websocket\"\n");
    auto visitor = Peer::connect(port);
    visitor.send("question");
    visitor.finish();
    const auto got = visitor.receive_all();
    EXPECT_EQ(got.end, End::orderly);
    EXPECT_TRUE(got.bytes == answer);
    EXPECT_EQ(seen, End::orderly);

    auto breaker = Peer::connect(port);
    breaker.send("half a quest");
    ASSERT_TRUE(eventually([&] { return service.running() == 1; }));
    breaker.reset();
    EXPECT_TRUE(eventually([&] { return service.running() == 0; }));
    EXPECT_EQ(seen, End::reset);
}

TEST_P(WaysTo, InsideWebSocketASlowReaderGetsEveryByteAndHoldsBackTheSender) {
    start_server();
    expect_slow_reader_holds_back(std::size_t{128} * 1024 * 1024, "way = \"websocket\"\n");
}

TEST_P(WaysTo, ThroughAnHttpProxy) {
    start_server();
    const Service station(http_proxy("bWU6Z2VoZWlt"));  // me:geheim
    expect_bytes_both_ways(port_by("proxy = \"http://me:geheim@" + station.address() + "\"\n"));
    EXPECT_GE(station.accepted(), 2U) << "the control connection and a data connection";
    EXPECT_EQ(session_list().sessions(0).way(), "direct");
    EXPECT_TRUE(logs.has({"client ready", "direct through the HTTP proxy " + station.address()}));
    EXPECT_FALSE(logs.has({"geheim"}));
}

TEST_P(WaysTo, ThroughAProxyThatKnowsNoHalfCloseOneDirectionMayEndAllTheSame) {
    const auto answer = pattern(1'000'000, 2);
    const Service service([&](Peer& peer) {
        if (peer.receive_all().end != End::orderly) return;
        peer.send(answer);
        peer.finish();
    });
    start_server();
    const Service station(http_proxy("", "", AnEndEnds::both));
    auto visitor = Peer::connect(expose(service, "proxy = \"http://" + station.address() + "\"\n"));
    visitor.send("question");
    visitor.finish();
    const auto got = visitor.receive_all();
    EXPECT_EQ(got.end, End::orderly);
    EXPECT_TRUE(got.bytes == answer);
}

TEST_P(WaysTo, ThroughASocks5ProxyWhichResolvesTheName) {
    start_server();
    const Service station(socks5_proxy("me", "geheim"));
    use_link("home", link_to({"server.test", server->port()}));
    expect_bytes_both_ways(port_by("proxy = \"socks5://me:geheim@" + station.address() + "\"\n"));
    EXPECT_GE(station.accepted(), 2U);
    EXPECT_FALSE(logs.has({"geheim"}));
}

TEST_P(WaysTo, InsideWebSocketThroughAProxy) {
    start_server();
    const Service station(http_proxy());
    expect_bytes_both_ways(port_by("way = \"websocket\"\nproxy = \"http://" + station.address() + "\"\n"));
    EXPECT_EQ(session_list().sessions(0).way(), "websocket");
}

TEST_P(WaysTo, WhereOnlyTheWebPassesAutoFindsTheWay) {
    start_server();
    const Service firewall(web_only(server->port()));
    use_link("home", link_to({"127.0.0.1", firewall.port()}));
    expect_bytes_both_ways(port_by(""));
    EXPECT_EQ(session_list().sessions(0).way(), "websocket");
    EXPECT_TRUE(logs.has({"trying another way", "way=direct"}));
}

class Ways : public TunnelTest {
  protected:
    void expect_failure_at_start(const std::string& config, Errc code, const std::string& part) {
        auto& client = start_client(config);
        EXPECT_TRUE(eventually([&] { return client.stopped() || logs.has({"reconnecting"}); }));
        if (code == Errc::unauthenticated) {
            ASSERT_TRUE(eventually([&] { return client.stopped(); }));
            EXPECT_THAT(client.failure()->message, HasSubstr(part));
        } else {
            EXPECT_TRUE(logs.has({"reconnecting", part})) << part;
        }
    }
    const Service service_{echo};
};

TEST_F(Ways, WhatAProxyRefusesIsToldWithWhatToDo) {
    start_server();
    const Service asking(http_proxy("bWU6Z2VoZWlt"));
    expect_failure_at_start("proxy = \"http://" + asking.address() + "\"\n", Errc::unauthenticated,
                            "it asks for a user and password (HTTP 407)");
    expect_failure_at_start("proxy = \"http://me:wrong@" + asking.address() + "\"\n", Errc::unauthenticated,
                            "does not accept the user and password");
    const Service socks(socks5_proxy("me", "geheim"));
    expect_failure_at_start("proxy = \"socks5://" + socks.address() + "\"\n", Errc::unauthenticated,
                            "it asks for a user and password");
    const Service forbidding(http_proxy("", "HTTP/1.1 403 Forbidden\r\n\r\n"));
    expect_failure_at_start("proxy = \"http://" + forbidding.address() + "\"\n", Errc::not_allowed,
                            "its rules forbid 127.0.0.1:");
}

TEST_F(Ways, AnUpgradeThatIsRefusedIsToldWithWhatToDo) {
    start_server();
    // The server's own, by another path than the one it takes.
    auto visitor = Peer::connect(server->port());
    visitor.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_THAT(read_head(visitor), HasSubstr("404 Not Found"));
    auto plain = Peer::connect(server->port());
    plain.send("GET /tunnel HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_THAT(read_head(plain), HasSubstr("426 Upgrade Required"));
    EXPECT_EQ(status().garbage_connections(), 2U);
}

TEST_F(Ways, OnlyATrustedWebServerMayComeWithoutTls) {
    start_server("[websocket]\ntrusted = [\"192.0.2.0/24\"]\n");
    auto visitor = Peer::connect(server->port());
    visitor.send("GET /tunnel HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_EQ(read_head(visitor), "");
}

TEST_F(Ways, TheServersOfTheConfigAreTriedInTurn) {
    start_server();
    const auto nobody = refuse_on_loopback();
    auto link = config::parse_join_link(link_of("home"));
    link->server = {"127.0.0.1", nobody.port};
    use_link("home", std::string(text_of(config::to_text(*link).reveal())));
    auto& client = start_client("servers = [\"127.0.0.1:" + std::to_string(server->port()) + "\"]\n" +
                                mapping_toml("service", service_.address()));
    EXPECT_NE(client.listening("service"), 0);
    EXPECT_TRUE(logs.has({"trying another way", "server=127.0.0.1:" + std::to_string(nobody.port)}));
    EXPECT_TRUE(
        logs.has({"client ready", "server=127.0.0.1:" + std::to_string(server->port()), "way=direct"}));
}

TEST_F(Ways, WhatWorkedIsTriedFirstNextTime) {
    start_server();
    const Service firewall(web_only(server->port()));
    auto link = config::parse_join_link(link_of("home"));
    link->server = {"127.0.0.1", firewall.port()};
    use_link("home", std::string(text_of(config::to_text(*link).reveal())));
    auto& client = start_client(mapping_toml("service", service_.address()));
    ASSERT_NE(client.listening("service"), 0);
    proto::AdminRequest request;
    request.mutable_session_close()->set_name("home");
    (void)server->ask(request);
    EXPECT_TRUE(eventually([&] { return logs.count({"client ready", "way=websocket"}) == 2; }));
    EXPECT_EQ(logs.count({"trying another way"}), 1U);
}

TEST_F(Ways, ALinkMaySayWebSocketAndTheServerMakesSuchLinks) {
    start_server("[websocket]\nlink = \"vps.example.com:443\"\n");
    const auto link = config::parse_join_link(link_of("home"));
    ASSERT_TRUE(link);
    EXPECT_EQ(link->server, (HostPort{"vps.example.com", 443}));
    EXPECT_EQ(link->via, config::Via::websocket);
    auto here = link->copy();
    here.server = {"127.0.0.1", server->port()};
    use_link("home", std::string(text_of(config::to_text(here).reveal())));
    auto& client = start_client(mapping_toml("service", service_.address()));
    EXPECT_NE(client.listening("service"), 0);
    EXPECT_EQ(session_list().sessions(0).way(), "websocket");
}

TEST_F(Ways, DatagramsTakeTheStreamWhereOnlyTcpPasses) {
    const UdpService echo_service;
    start_server();
    auto& client = start_client("way = \"websocket\"\n[[mapping]]\nname = \"service\"\nudp = 0\nto = \"" +
                                echo_service.address() + "\"\n");
    UdpVisitor visitor(client.listening("service"));
    const auto sent = pattern(8000, 5);
    const auto answer = visitor.ask(sent);
    ASSERT_TRUE(answer);
    EXPECT_TRUE(*answer == sent);
    EXPECT_TRUE(eventually([&] { return mapping_show("service").datagrams_by() == "stream"; }))
        << mapping_show("service").datagrams_by();
    EXPECT_TRUE(logs.has({"client1", "datagrams go by stream", "mapping=service",
                          "the way to the server is websocket, where only TCP passes"}));
}

TEST_F(Ways, AReloadChangesTheWay) {
    start_server();
    const auto mapping = mapping_toml("service", service_.address());
    auto& client = start_client(mapping);
    ASSERT_NE(client.listening("service"), 0);
    EXPECT_EQ(session_list().sessions(0).way(), "direct");
    client.write_config("way = \"websocket\"\n" + mapping);
    client.request_reload();
    EXPECT_TRUE(eventually([&] {
        const auto sessions = session_list();
        return sessions.sessions_size() == 1 && sessions.sessions(0).way() == "websocket";
    }));
}

}  // namespace
}  // namespace tunnel::test
