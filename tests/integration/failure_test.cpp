// What breaks in the middle: nobody is told a lie about it.

#include <sys/socket.h>
#include <sys/time.h>

#include "tests/integration/support/tunnel_test.hpp"

namespace tunnel::test {
namespace {

using testing::HasSubstr;

// Sends the pattern for as long as somebody takes it.
void source(Peer& peer) {
    const auto block = pattern(64 * 1024, 9);
    while (peer.send(block)) {
    }
}

// True when `bytes` is the beginning of an endless pattern of source().
bool beginning_of_source(BytesView bytes) {
    const auto block = pattern(64 * 1024, 9);
    for (std::size_t at = 0; at < bytes.size(); ++at) {
        if (bytes[at] != block[at % block.size()]) return false;
    }
    return true;
}

TEST_P(BothModes, AServiceThatIsNotThereResetsTheVisitorAndTheMappingTellsWhy) {
    const auto nobody = refuse_on_loopback();
    const auto address = "127.0.0.1:" + std::to_string(nobody.port);
    start_server();
    const auto port = start_client(mapping_toml("service", address, encrypted())).listening("service");
    ASSERT_NE(port, 0);
    auto visitor = Peer::connect(port);
    visitor.send("hello");
    EXPECT_EQ(visitor.receive_all().end, End::reset);
    EXPECT_TRUE(eventually([&] { return !mapping_show("service").last_error().empty(); }));
    const auto shown = mapping_show("service");
    EXPECT_THAT(shown.last_error(), HasSubstr(address));
    EXPECT_THAT(shown.last_error(), HasSubstr("does not answer"));
    EXPECT_GT(shown.last_error_at(), 0);
    EXPECT_EQ(shown.refused_total(), 1u);
    EXPECT_EQ(shown.state(), "listening");
    EXPECT_TRUE(eventually([&] { return logs.has({"client1", "visitor refused", address}); }));
}

TEST_P(BothModes, AVisitorThatSendsMuchToAServiceThatIsNotThereLeavesTheReasonToo) {
    const auto nobody = refuse_on_loopback();
    start_server();
    const auto service = "127.0.0.1:" + std::to_string(nobody.port);
    const auto port = start_client(mapping_toml("service", service, encrypted())).listening("service");
    ASSERT_NE(port, 0);
    const auto bytes = pattern(2'000'000);
    constexpr std::uint64_t visitors = 20;
    for (std::uint64_t i = 0; i < visitors; ++i) {
        auto visitor = Peer::connect(port);
        EXPECT_EQ(send_and_receive(visitor, bytes).end, End::reset);
    }
    ASSERT_TRUE(idle());
    EXPECT_TRUE(eventually([&] { return logs.count({"server", "visitor closed"}) == visitors; }));
    EXPECT_EQ(logs.count({"server", "visitor closed", "reason=refused", "does not answer"}), visitors);
    EXPECT_EQ(mapping_show("service").refused_total(), visitors);
}

TEST_P(BothModes, AVisitorThatResetsIsAResetForTheService) {
    std::atomic<int> ended{-1};
    const Service service([&](Peer& peer) {
        peer.send("go");
        ended = static_cast<int>(peer.receive_all().end);
    });
    start_server();
    auto visitor = Peer::connect(expose(service));
    ASSERT_EQ(visitor.receive_text(2), "go");
    visitor.send(pattern(100'000));
    visitor.reset();
    ASSERT_TRUE(eventually([&] { return ended >= 0; }));
    EXPECT_EQ(static_cast<End>(ended.load()), End::reset);
    EXPECT_TRUE(idle());
}

TEST_P(BothModes, AVisitorThatResetsWhileItIsBeingSentToIsAResetForTheService) {
    const Service service(source);
    start_server();
    auto visitor = Peer::connect(expose(service));
    ASSERT_EQ(visitor.receive(1'000'000).size(), 1'000'000u);
    visitor.reset();
    EXPECT_TRUE(eventually([&] { return service.accepted() == 1 && service.running() == 0; }))
        << "the service still sends to a visitor that is gone";
    EXPECT_TRUE(idle());
    EXPECT_TRUE(eventually([&] { return logs.has({"server", "visitor closed", "reason=outer_failed"}); }));
}

TEST_P(BothModes, AVisitorsResetIsNoticedWhileTheServiceTakesNothing) {
    std::atomic<bool> over{false};
    const Service service([&](Peer& peer) {
        peer.send("go");
        (void)eventually([&] { return over.load(); });
    });
    start_server();
    auto visitor = Peer::connect(expose(service));
    ASSERT_EQ(visitor.receive_text(2), "go");
    // Until every buffer on the way is full.
    const auto block = pattern(64 * 1024);
    const timeval limit{0, 300'000};
    ::setsockopt(visitor.fd(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    while (::send(visitor.fd(), block.data(), block.size(), MSG_NOSIGNAL) > 0 || errno == EINTR) {
    }
    visitor.reset();
    EXPECT_TRUE(idle()) << "the server still holds a visitor that is gone";
    EXPECT_TRUE(eventually([&] { return logs.has({"server", "visitor closed", "reason=outer_failed"}); }));
    over = true;
}

TEST_P(BothModes, AServiceThatResetsIsAResetForTheVisitor) {
    const Service service([](Peer& peer) {
        peer.send("partial");
        (void)peer.receive(1);
        peer.reset();
    });
    start_server();
    auto visitor = Peer::connect(expose(service));
    ASSERT_EQ(visitor.receive_text(7), "partial");
    visitor.send("x");
    EXPECT_EQ(visitor.receive_all().end, End::reset);
    EXPECT_TRUE(idle());
}

TEST_P(BothModes, ACutDataConnectionIsAResetAtBothEnds) {
    std::atomic<int> ended{-1};
    const Service service([&](Peer& peer) {
        peer.send("go");
        ended = static_cast<int>(peer.receive_all().end);
    });
    start_server();
    start_proxy();
    auto visitor = Peer::connect(expose(service));
    ASSERT_EQ(visitor.receive_text(2), "go");
    proxy->cut(Proxy::Kind::data);
    EXPECT_EQ(visitor.receive_all().end, End::reset);
    ASSERT_TRUE(eventually([&] { return ended >= 0; }));
    EXPECT_EQ(static_cast<End>(ended.load()), End::reset);
    EXPECT_TRUE(idle());
}

TEST_F(TunnelTest, AFlippedBitOnAnEncryptedDataConnectionNeverReachesAnybody) {
    const Service service([](Peer& peer) { source(peer); });
    start_server();
    start_proxy();
    const auto port = start_client(mapping_toml("service", service.address())).listening("service");
    ASSERT_NE(port, 0);
    // In the client's answer, in a record's header, body and tag, and deep in the stream.
    for (const std::uint64_t offset : {57, 58, 60, 64, 70, 90, 110, 300, 5'000, 70'001, 400'000}) {
        proxy->flip(Proxy::Direction::to_server, offset);
        auto visitor = Peer::connect(port);
        const auto received = visitor.receive_all();
        EXPECT_EQ(received.end, End::reset) << "offset " << offset;
        EXPECT_TRUE(beginning_of_source(received.bytes)) << "offset " << offset;
        EXPECT_LE(received.bytes.size(), offset) << "offset " << offset;
    }
    proxy->flip(Proxy::Direction::to_server, std::nullopt);
    auto visitor = Peer::connect(port);
    EXPECT_EQ(visitor.receive(200'000).size(), 200'000u);
}

TEST_F(TunnelTest, AFlippedBitTowardsTheClientNeverReachesTheService) {
    const auto sent = pattern(500'000, 8);
    std::mutex mutex;
    std::vector<Received> seen;
    const Service service([&](Peer& peer) {
        auto received = peer.receive_all();
        const std::lock_guard lock(mutex);
        seen.push_back(std::move(received));
    });
    start_server();
    start_proxy();
    const auto port = start_client(mapping_toml("service", service.address())).listening("service");
    ASSERT_NE(port, 0);
    for (const std::uint64_t offset : {2, 18, 25, 60, 200, 30'000, 400'000}) {
        proxy->flip(Proxy::Direction::to_client, offset);
        auto visitor = Peer::connect(port);
        visitor.send(sent);
        visitor.finish();
        EXPECT_EQ(visitor.receive_all().end, End::reset) << "offset " << offset;
    }
    EXPECT_TRUE(idle());
    EXPECT_TRUE(eventually([&] { return service.running() == 0; }));
    const std::lock_guard lock(mutex);
    EXPECT_GT(seen.size(), 0u);
    for (const auto& received : seen) {
        EXPECT_EQ(received.end, End::reset);
        EXPECT_LT(received.bytes.size(), sent.size());
        EXPECT_TRUE(std::equal(received.bytes.begin(), received.bytes.end(), sent.begin()));
    }
}

TEST_F(TunnelTest, TheHeadsOfAPlainMappingAreProtectedToo) {
    std::atomic<int> served{0};
    const Service service([&](Peer& peer) {
        ++served;
        echo(peer);
    });
    start_server();
    start_proxy();
    const auto port = start_client(mapping_toml("service", service.address(), false)).listening("service");
    ASSERT_NE(port, 0);
    // The server's nonce, and the sealed StreamOpen behind it.
    for (const std::uint64_t offset : {0, 15, 22, 40, 60}) {
        proxy->flip(Proxy::Direction::to_client, offset);
        auto visitor = Peer::connect(port);
        visitor.send("x");
        EXPECT_EQ(visitor.receive_all().end, End::reset) << "offset " << offset;
    }
    EXPECT_EQ(served, 0);
}

}  // namespace
}  // namespace tunnel::test
