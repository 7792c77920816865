// Bytes through a mapping: both ways, in both modes, and how each direction ends.

#include "tests/integration/support/tunnel_test.hpp"

namespace tunnel::test {
namespace {

constexpr std::size_t bulk = std::size_t{8} * 1024 * 1024;

TEST_P(BothModes, SmallMessagesGoThereAndBack) {
    const Service service(echo);
    start_server();
    auto visitor = Peer::connect(expose(service));
    for (const auto* word : {"one", "two", "three"}) {
        ASSERT_TRUE(visitor.send(std::string_view(word)));
        EXPECT_EQ(visitor.receive_text(std::string_view(word).size()), word);
    }
    visitor.finish();
    EXPECT_EQ(visitor.receive_all().end, End::orderly);
}

TEST_P(BothModes, BulkArrivesWholeInBothDirectionsAtOnce) {
    const Service service(echo);
    start_server();
    auto visitor = Peer::connect(expose(service));
    const auto sent = pattern(bulk, 7);
    const auto received = send_and_receive(visitor, sent);
    EXPECT_EQ(received.end, End::orderly);
    EXPECT_EQ(received.bytes.size(), sent.size());
    EXPECT_TRUE(received.bytes == sent);
    ASSERT_TRUE(idle());
    const auto shown = mapping_show("service");
    EXPECT_EQ(shown.bytes_in(), bulk);
    EXPECT_EQ(shown.bytes_out(), bulk);
    EXPECT_EQ(shown.visitors_total(), 1u);
    EXPECT_TRUE(eventually([&] {
        return logs.has({"server", "visitor closed", "bytes_in=" + std::to_string(bulk), "reason=finished"});
    }));
}

TEST_P(BothModes, AVisitorThatHalfClosesStillGetsTheAnswer) {
    const auto question = pattern(300'000, 1);
    const auto answer = pattern(1'000'000, 2);
    std::atomic<bool> whole{false};
    const Service service([&](Peer& peer) {
        const auto asked = peer.receive_all();
        whole = asked.end == End::orderly && asked.bytes == question;
        peer.send(answer);
        peer.finish();
    });
    start_server();
    auto visitor = Peer::connect(expose(service));
    ASSERT_TRUE(visitor.send(question));
    visitor.finish();
    const auto received = visitor.receive_all();
    EXPECT_TRUE(whole);
    EXPECT_EQ(received.end, End::orderly);
    EXPECT_TRUE(received.bytes == answer);
}

TEST_P(BothModes, AServiceThatHalfClosesFirstStillGetsTheRest) {
    const auto rest = pattern(1'000'000, 3);
    std::atomic<bool> whole{false};
    const Service service([&](Peer& peer) {
        peer.send("go on");
        peer.finish();
        const auto got = peer.receive_all();
        whole = got.end == End::orderly && got.bytes == rest;
    });
    start_server();
    auto visitor = Peer::connect(expose(service));
    const auto greeting = visitor.receive_all();
    EXPECT_EQ(text_of(greeting.bytes), "go on");
    EXPECT_EQ(greeting.end, End::orderly);
    EXPECT_TRUE(visitor.send(rest));
    visitor.finish();
    EXPECT_TRUE(eventually([&] { return service.accepted() == 1 && service.running() == 0; }));
    EXPECT_TRUE(whole);
    EXPECT_TRUE(eventually([&] { return logs.has({"visitor closed", "reason=finished"}); }));
}

TEST_P(BothModes, AServiceThatSpeaksFirstIsHeard) {
    const Service service([](Peer& peer) {
        peer.send("220 ready\r\n");
        echo(peer);
    });
    start_server();
    auto visitor = Peer::connect(expose(service));
    EXPECT_EQ(visitor.receive_text(11), "220 ready\r\n");
    ASSERT_TRUE(visitor.send("quit"));
    EXPECT_EQ(visitor.receive_text(4), "quit");
}

TEST_P(BothModes, AVisitorThatSaysNothingAndGoesEndsBothSides) {
    const Service service(echo);
    start_server();
    auto visitor = Peer::connect(expose(service));
    visitor.finish();
    EXPECT_EQ(visitor.receive_all().end, End::orderly);
    EXPECT_TRUE(eventually([&] { return service.accepted() == 1 && service.running() == 0; }));
    EXPECT_TRUE(idle());
}

TEST_P(BothModes, ASlowReaderGetsEveryByteAndHoldsBackTheSender) {
    start_server();
    expect_slow_reader_holds_back(std::size_t{48} * 1024 * 1024);
}

TEST_F(TunnelTest, TheIpv6WildcardServesBothFamilies) {
    const Service service(echo);
    start_server("public_host = \"localhost\"\nlisten = [\"[::]:0\"]\nbind = [\"::\"]\n");
    auto& client = start_client(mapping_toml("service", "localhost:" + std::to_string(service.port())));
    const auto port = client.listening("service");
    ASSERT_NE(port, 0);
    EXPECT_EQ(client.state("service").public_address, "localhost:" + std::to_string(port));
    auto visitor = Peer::connect(port);
    ASSERT_TRUE(visitor.send("over IPv4"));
    EXPECT_EQ(visitor.receive_text(9), "over IPv4");
    EXPECT_THAT(connection_list().connections(0).visitor(), testing::StartsWith("127.0.0.1:"));
}

TEST_P(BothModes, AnEncryptedMappingShowsNothingOnTheWireAndAPlainOneDoes) {
    const Service service(echo);
    start_server();
    start_proxy();
    auto visitor = Peer::connect(expose(service));
    const auto text = pattern(100'000, 5);
    ASSERT_TRUE(visitor.send(text));
    ASSERT_TRUE(visitor.receive(text.size()) == text);
    EXPECT_EQ(mapping_show("service").encrypt(), encrypted());
    EXPECT_EQ(proxy->saw(BytesView(text).subspan(50'000, 64)), !encrypted());
}

}  // namespace
}  // namespace tunnel::test
