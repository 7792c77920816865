// Datagrams through a UDP mapping, by either transport.

#include "common/wire/datagram_frame.hpp"
#include "tests/integration/support/datagrams.hpp"
#include "tests/integration/support/tunnel_test.hpp"

namespace tunnel::test {
namespace {

std::string udp_toml(const std::string& service, const std::string& more = "") {
    return "[[mapping]]\nname = \"service\"\nudp = 0\nto = \"" + service + "\"\n" + more;
}

// Bytes that nobody else sends.
Bytes numbered(std::size_t size, std::uint32_t number) {
    auto bytes = pattern(size, number);
    if (size >= 4) put_be32(MutableBytes(bytes).first(4), number);
    return bytes;
}

struct Way {
    const char* transport;
    bool encrypt;
};
class BothTransports : public TunnelTest, public testing::WithParamInterface<Way> {
  protected:
    // Returns the public port, once datagrams go the way that is meant.
    Port expose_udp(const UdpService& service) {
        const auto& [transport, encrypt] = GetParam();
        auto& client = start_client(
            udp_toml(service.address(), std::string("transport = \"") + transport +
                                            "\"\nencrypt = " + (encrypt ? "true" : "false") + "\n"));
        const auto port = client.listening("service");
        UdpVisitor first(port);
        EXPECT_TRUE(first.ask(view_of("first")));
        EXPECT_TRUE(eventually([&] { return mapping_show("service").datagrams_by() == transport; }))
            << mapping_show("service").datagrams_by();
        return port;
    }
};

TEST_P(BothTransports, DatagramsKeepTheirBoundariesAtEverySize) {
    const UdpService service;
    start_server();
    UdpVisitor visitor(expose_udp(service));
    std::uint32_t number = 0;
    for (const std::size_t size : {0U, 1U, 100U, 1200U, 1472U, 1473U, 8000U, 16'384U, 65'506U, 65'507U}) {
        const auto sent = numbered(size, ++number);
        ASSERT_TRUE(visitor.send(sent)) << size;
        const auto answer = visitor.receive();
        ASSERT_TRUE(answer) << size;
        EXPECT_TRUE(*answer == sent) << size;
    }
}

TEST_P(BothTransports, AThousandFlowsAtOnceDoNotMix) {
    constexpr std::size_t count = 1000;
    const UdpService service;
    start_server();
    const auto port = expose_udp(service);
    const auto before = mapping_show("service");
    std::vector<std::unique_ptr<UdpVisitor>> visitors;
    for (std::size_t i = 0; i < count; ++i) visitors.push_back(std::make_unique<UdpVisitor>(port));
    for (std::uint32_t round = 0; round < 5; ++round) {
        for (std::uint32_t i = 0; i < count; ++i) {
            ASSERT_TRUE(visitors[i]->send(numbered(300 + i, i)));
            // A closed loop of a hundred, so that no socket's buffer is the subject.
            if (i % 100 != 99) continue;
            for (std::uint32_t j = i - 99; j <= i; ++j) {
                const auto answer = visitors[j]->receive();
                ASSERT_TRUE(answer) << j << " round " << round << " "
                                    << mapping_show("service").DebugString();
                ASSERT_TRUE(*answer == numbered(300 + j, j)) << j;
            }
        }
    }
    const auto shown = mapping_show("service");
    // The one who tried the mapping before them is a flow of its own, unless one of them got its port.
    EXPECT_THAT(shown.visitors(), testing::AnyOf(count, count + 1));
    EXPECT_EQ(service.flows(), shown.visitors());
    EXPECT_EQ(shown.visitors_total(), shown.visitors());
    EXPECT_EQ(shown.datagrams_in() - before.datagrams_in(), 5 * count);
    EXPECT_EQ(shown.datagrams_out() - before.datagrams_out(), 5 * count);
    EXPECT_EQ(shown.datagrams_dropped(), before.datagrams_dropped());
}

INSTANTIATE_TEST_SUITE_P(Ways, BothTransports,
                         testing::Values(Way{"stream", true}, Way{"stream", false}, Way{"datagram", true}),
                         [](const auto& chosen) {
                             return std::string(chosen.param.transport) +
                                    (chosen.param.encrypt ? "_encrypted" : "_plain");
                         });

class Udp : public TunnelTest {
  protected:
    bool by(const std::string& way) {
        return eventually([&] { return mapping_show("service").datagrams_by() == way; }, Millis(20'000));
    }
};

TEST_F(Udp, WithoutAWordDatagramsGoAsDatagramsWhereTheyCan) {
    const UdpService service;
    start_server();
    UdpVisitor visitor(start_client(udp_toml(service.address())).listening("service"));
    EXPECT_TRUE(visitor.ask(view_of("hello")));
    EXPECT_TRUE(by("datagram"));
    EXPECT_TRUE(logs.has({"server", "datagrams go by packets", "mapping=service"}));
    EXPECT_TRUE(visitor.ask(view_of("again")));
}

TEST_F(Udp, WhereUdpDoesNotPassTheyGoByStreamAndReturnWhenItPasses) {
    const UdpService service;
    start_server();
    // A proxy for TCP only.
    start_proxy();
    UdpVisitor visitor(start_client(udp_toml(service.address())).listening("service"));
    EXPECT_TRUE(visitor.ask(view_of("hello")));
    EXPECT_TRUE(by("stream"));
    EXPECT_TRUE(eventually([&] { return logs.has({"server", "datagrams go by stream", "firewall"}); }));
    EXPECT_TRUE(visitor.ask(view_of("by stream")));
    const PacketProxy packets(proxy->port(), server->port());
    EXPECT_TRUE(by("datagram"));
    const auto before = packets.passed();
    EXPECT_TRUE(eventually([&] { return visitor.ask(view_of("by packets")) && packets.passed() > before; }));
}

TEST_F(Udp, AWayThatDiesIsLeftAndNoFlowEnds) {
    const UdpService service;
    start_server();
    start_proxy();
    PacketProxy packets(proxy->port(), server->port());
    UdpVisitor visitor(start_client(udp_toml(service.address())).listening("service"));
    EXPECT_TRUE(visitor.ask(view_of("hello")));
    ASSERT_TRUE(by("datagram"));
    packets.lose(1000);
    EXPECT_TRUE(visitor.ask(view_of("still there?"), Millis(20'000)));
    EXPECT_TRUE(by("stream"));
    EXPECT_EQ(service.flows(), 1U);
    packets.lose(0);
    EXPECT_TRUE(by("datagram"));
    EXPECT_TRUE(visitor.ask(view_of("welcome back")));
    EXPECT_EQ(service.flows(), 1U);
}

TEST_F(Udp, AClientWhoseNatForgotItIsFollowed) {
    const UdpService service;
    start_server();
    start_proxy();
    PacketProxy packets(proxy->port(), server->port());
    UdpVisitor visitor(
        start_client(udp_toml(service.address(), "transport = \"datagram\"\n")).listening("service"));
    EXPECT_TRUE(visitor.ask(view_of("hello")));
    ASSERT_TRUE(by("datagram"));
    packets.rebind();
    EXPECT_TRUE(visitor.ask(view_of("from elsewhere")));
    EXPECT_TRUE(logs.has({"server", "client's packets come from another address"}));
    EXPECT_EQ(service.flows(), 1U);
}

TEST_F(Udp, ANarrowPathIsFoundAndLargeDatagramsAreCut) {
    const UdpService service;
    start_server();
    start_proxy();
    PacketProxy packets(proxy->port(), server->port());
    packets.set_mtu(1400);
    UdpVisitor visitor(
        start_client(udp_toml(service.address(), "transport = \"datagram\"\n")).listening("service"));
    EXPECT_TRUE(visitor.ask(view_of("hello")));
    ASSERT_TRUE(by("datagram"));
    for (const std::size_t size : {1300U, 1500U, 8000U, 65'507U}) {
        const auto sent = numbered(size, 7);
        const auto answer = visitor.ask(sent);
        ASSERT_TRUE(answer) << size;
        EXPECT_TRUE(*answer == sent) << size;
    }
    EXPECT_LE(packets.largest(), 1400U);
    EXPECT_TRUE(eventually([&] { return packets.largest() >= 1392; }));
}

TEST_F(Udp, LostPacketsDelayNobodyElse) {
    const UdpService service;
    start_server();
    start_proxy();
    PacketProxy packets(proxy->port(), server->port());
    const auto port =
        start_client(udp_toml(service.address(), "transport = \"datagram\"\n")).listening("service");
    UdpVisitor visitor(port);
    EXPECT_TRUE(visitor.ask(view_of("hello")));
    ASSERT_TRUE(by("datagram"));
    packets.lose(100);
    // Far less than what a retransmission would take.
    constexpr Millis soon(200);
    int answered = 0;
    for (std::uint32_t i = 0; i < 100; ++i) {
        ASSERT_TRUE(visitor.send(numbered(200, i)));
        answered += visitor.receive(soon) == numbered(200, i) ? 1 : 0;
    }
    // Four in five arrive both ways.
    EXPECT_GT(answered, 60);
    EXPECT_LT(answered, 100);
}

TEST_F(Udp, FlowsThatAreSilentEnd) {
    const UdpService service;
    start_server();
    UdpVisitor visitor(
        start_client(udp_toml(service.address(), "flow_timeout = \"1s\"\n")).listening("service"));
    EXPECT_TRUE(visitor.ask(view_of("hello")));
    EXPECT_EQ(mapping_show("service").visitors(), 1U);
    EXPECT_TRUE(eventually([&] { return mapping_show("service").visitors() == 0; }));
    EXPECT_TRUE(logs.has({"server", "flow closed", "mapping=service", "reason=idle", "datagrams_out="}));
    EXPECT_TRUE(visitor.ask(view_of("again")));
    EXPECT_EQ(mapping_show("service").visitors_total(), 2U);
}

TEST_F(Udp, FlowsSurviveTheControlConnectionsLoss) {
    const UdpService service;
    start_server();
    start_proxy();
    UdpVisitor visitor(
        start_client(udp_toml(service.address(), "transport = \"stream\"\n")).listening("service"));
    EXPECT_TRUE(visitor.ask(view_of("hello")));
    proxy->cut(Proxy::Kind::control);
    EXPECT_TRUE(visitor.ask(view_of("meanwhile")));
    EXPECT_TRUE(eventually([&] { return session_list().sessions_size() == 1; }));
    EXPECT_TRUE(visitor.ask(view_of("afterwards")));
    EXPECT_EQ(service.flows(), 1U);
}

TEST_F(Udp, FlowsOfARestartedClientGoOn) {
    const UdpService service;
    start_server();
    auto& first = start_client(udp_toml(service.address()));
    const auto port = first.listening("service");
    UdpVisitor visitor(port);
    EXPECT_TRUE(visitor.ask(view_of("hello")));
    end_client(first);
    auto& second = start_client(udp_toml(service.address()));
    ASSERT_EQ(second.listening("service"), port);
    EXPECT_TRUE(visitor.ask(view_of("hello again")));
}

TEST_F(Udp, AReloadLeavesFlowsAloneAndLeadsNewOnesToTheNewService) {
    const UdpService before([](BytesView) { return Bytes{'1'}; });
    const UdpService after([](BytesView) { return Bytes{'2'}; });
    start_server();
    auto& client = start_client(udp_toml(before.address()));
    const auto port = client.listening("service");
    UdpVisitor old(port);
    EXPECT_EQ(old.ask(view_of("x")), Bytes{'1'});
    client.write_config(udp_toml(before.address()) + "\n[[mapping]]\nname = \"other\"\nudp = 0\nto = \"" +
                        after.address() + "\"\n");
    client.request_reload();
    UdpVisitor other(client.listening("other"));
    EXPECT_EQ(other.ask(view_of("x")), Bytes{'2'});
    EXPECT_EQ(old.ask(view_of("x")), Bytes{'1'});
    EXPECT_EQ(before.flows(), 1U);
    client.write_config(udp_toml(after.address()));
    client.request_reload();
    EXPECT_TRUE(eventually([&] { return UdpVisitor(port).ask(view_of("x"), Millis(500)) == Bytes{'2'}; }));
}

TEST_F(Udp, WhatNobodyAnswersIsCountedByReason) {
    Port nobody = 0;
    {
        const UdpService gone;
        nobody = gone.port();
    }
    start_server();
    UdpVisitor visitor(start_client(udp_toml("127.0.0.1:" + std::to_string(nobody))).listening("service"));
    EXPECT_TRUE(eventually([&] {
        (void)visitor.send(view_of("anybody?"));
        return mapping_show("service").datagrams_dropped().find("unreachable=") != std::string::npos;
    }));
}

TEST_F(Udp, AServiceThatTheClientForbidsIsRefusedWithItsWords) {
    start_server();
    (void)link_of("home");
    (void)start_client("allow = [\"10.0.0.0/8\"]\n");
    // A name is judged when somebody comes.
    (void)mapping_add_with("service", {{"udp", "0"}, {"to", "localhost:53"}});
    ASSERT_TRUE(eventually([&] { return mapping_show("service").state() == "listening"; }));
    UdpVisitor visitor(static_cast<Port>(mapping_show("service").port()));
    EXPECT_TRUE(eventually([&] {
        (void)visitor.send(view_of("anybody?"));
        return mapping_show("service").last_error().find("localhost:53") != std::string::npos;
    }));
    EXPECT_TRUE(logs.has({"server", "datagrams refused", "mapping=service"}));
    EXPECT_TRUE(eventually([&] {
        (void)visitor.send(view_of("anybody?"));
        return mapping_show("service").datagrams_dropped().find("no_way=") != std::string::npos;
    }));
}

TEST_F(Udp, ThePausedAndTheRemovedTakeNoDatagrams) {
    const UdpService service;
    start_server();
    UdpVisitor visitor(start_client(udp_toml(service.address())).listening("service"));
    EXPECT_TRUE(visitor.ask(view_of("hello")));
    mapping_pause("service");
    // The workers hear of it a moment later.
    EXPECT_TRUE(eventually([&] { return mapping_show("service").visitors() == 0; }));
    const auto before = service.received();
    EXPECT_FALSE(visitor.ask(view_of("paused"), Millis(700)));
    EXPECT_EQ(service.received(), before);
    mapping_resume("service");
    EXPECT_TRUE(visitor.ask(view_of("resumed")));
}

}  // namespace
}  // namespace tunnel::test
