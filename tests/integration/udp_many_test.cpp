// UDP mappings of many: flows, strangers, and ports.

#include "common/net/socket.hpp"
#include "tests/integration/support/datagrams.hpp"
#include "tests/integration/support/tunnel_test.hpp"

namespace tunnel::test {
namespace {

constexpr std::uint32_t most_flows = 10'000;

Bytes words_of(std::uint32_t member, std::uint32_t round) {
    auto bytes = pattern(20 + member % 500, member * 8 + round);
    put_be32(MutableBytes(bytes).first(4), member);
    return bytes;
}

class UdpMany : public TunnelTest, public testing::WithParamInterface<const char*> {
  protected:
    Port expose_udp(const std::string& service, const std::string& more = "") {
        const auto port = start_client("[[mapping]]\nname = \"service\"\nudp = 0\nto = \"" + service +
                                       "\"\ntransport = \"" + GetParam() + "\"\n" + more)
                              .listening("service");
        UdpCrowd first(port);
        EXPECT_TRUE(eventually([&] { return answers(first, 0); }));
        EXPECT_TRUE(eventually([&] { return mapping_show("service").datagrams_by() == GetParam(); }));
        return port;
    }
    static bool answers(UdpCrowd& crowd, std::uint32_t member) {
        if (!crowd.send(member, words_of(member, 7))) return false;
        const auto heard = crowd.receive(Millis(300));
        return heard && heard->member == member;
    }
    // Each of them asks and is answered, a hundred at once.
    static void ask_all(UdpCrowd& crowd, std::uint32_t from, std::uint32_t to, std::uint32_t round) {
        constexpr std::uint32_t at_once = 100;
        for (auto begin = from; begin < to; begin += at_once) {
            const auto end = std::min(begin + at_once, to);
            for (auto member = begin; member < end; ++member)
                ASSERT_TRUE(crowd.send(member, words_of(member, round))) << member;
            for (auto member = begin; member < end; ++member) {
                const auto heard = crowd.receive();
                ASSERT_TRUE(heard) << "of " << begin << " to " << end << " in round " << round;
                ASSERT_TRUE(heard->bytes == words_of(heard->member, round)) << heard->member;
            }
        }
    }
};

// `first` of expose_udp is one of them.
TEST_P(UdpMany, TenThousandFlowsAtOnceAndNoMore) {
    // The client has a socket for each.
    if (net::raise_descriptor_limit() < most_flows + 1000) GTEST_SKIP() << "needs ulimit -Hn of 11000";
    const UdpService service;
    start_server();
    const auto port = expose_udp(service.address(), "flow_timeout = \"1h\"\n");
    UdpCrowd crowd(port);
    for (std::uint32_t round = 0; round < 2; ++round) ask_all(crowd, 1, most_flows, round);
    EXPECT_EQ(mapping_show("service").visitors(), most_flows);
    EXPECT_EQ(service.flows(), most_flows);

    // Whoever was silent for long makes room.
    EXPECT_TRUE(eventually([&] { return answers(crowd, most_flows); }, Millis(20'000)));
    const auto shown = mapping_show("service");
    EXPECT_EQ(shown.visitors(), most_flows);
    EXPECT_EQ(shown.visitors_total(), most_flows + 1);
    EXPECT_TRUE(eventually([&] { return logs.has({"server", "flow closed", "reason=\"made room\""}); }));
}

TEST_P(UdpMany, AFloodOfStrangersEndsNoFlowAndFillsNoLog) {
    const UdpService service([](BytesView bytes) -> std::optional<Bytes> {
        if (bytes.size() < 20) return std::nullopt;
        return Bytes(bytes.begin(), bytes.end());
    });
    start_server();
    const auto port = expose_udp(service.address());
    UdpCrowd crowd(port);
    ask_all(crowd, 1, 101, 0);
    const Bytes noise(8);
    for (std::uint32_t stranger = 1000; stranger < 1000 + 3 * most_flows; ++stranger) {
        ASSERT_TRUE(crowd.send(stranger, noise));
        // What was there before is served in between.
        if (stranger % 1000 == 0) {
            ASSERT_NO_FATAL_FAILURE(ask_all(crowd, 1, 101, 1));
        }
    }
    EXPECT_LE(mapping_show("service").visitors(), most_flows);
    // And so is a new one, as soon as the strangers make room.
    EXPECT_TRUE(eventually([&] { return answers(crowd, 500); }));
    ask_all(crowd, 1, 101, 2);
    mapping_pause("service");
    EXPECT_TRUE(eventually([&] { return mapping_show("service").visitors() == 0; }));
    EXPECT_LE(logs.count({"info  flow closed"}), 200U);
}

TEST_P(UdpMany, EachPortOfARangeLeadsToItsOwnPortOfTheService) {
    constexpr std::size_t count = 3;
    start_server();
    // Neighbours that are free for TCP are so for UDP, but for another program's bad luck.
    const auto inside = free_row(count);
    std::vector<std::unique_ptr<UdpService>> services;
    for (std::size_t i = 0; i < count; ++i) {
        const auto port = static_cast<Port>(inside.first + i);
        services.push_back(std::make_unique<UdpService>(
            [port](BytesView) {
                return Bytes{static_cast<std::uint8_t>(port >> 8U), static_cast<std::uint8_t>(port)};
            },
            port));
    }
    const auto outside = free_row(count);
    auto& client = start_client("[[mapping]]\nname = \"games\"\nudp = \"" + to_string(outside) +
                                "\"\nto = \"127.0.0.1:" + to_string(inside) + "\"\ntransport = \"" +
                                GetParam() + "\"\n");
    ASSERT_EQ(client.listening("games"), outside.first);
    EXPECT_EQ(client.state("games").public_address, "127.0.0.1:" + to_string(outside));
    for (std::size_t i = 0; i < count; ++i) {
        UdpVisitor visitor(static_cast<Port>(outside.first + i));
        const auto port = services[i]->port();
        EXPECT_EQ(visitor.ask(view_of("where am I?")),
                  (Bytes{static_cast<std::uint8_t>(port >> 8U), static_cast<std::uint8_t>(port)}));
        EXPECT_EQ(services[i]->flows(), 1U);
    }
    EXPECT_EQ(mapping_show("games").visitors(), count);
}

INSTANTIATE_TEST_SUITE_P(Transport, UdpMany, testing::Values("stream", "datagram"),
                         [](const auto& chosen) { return std::string(chosen.param); });

}  // namespace
}  // namespace tunnel::test
