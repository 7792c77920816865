// Data connections that are ready before their visitors.

#include "tests/integration/support/tunnel_test.hpp"

namespace tunnel::test {
namespace {

constexpr auto data = Proxy::Kind::data;
constexpr auto control = Proxy::Kind::control;
constexpr std::size_t ready_at_rest = 2;

class PoolTest : public BothModes {
  protected:
    // A client whom nobody has visited yet, with its ready data connections.
    void start() {
        start_server(options);
        start_proxy();
        port = expose(service);
        ASSERT_NE(port, 0);
        ASSERT_TRUE(at_rest());
    }
    bool at_rest(Millis limit = patience) {
        return eventually(
            [&] {
                const auto list = session_list();
                return list.sessions_size() == 1 && list.sessions(0).ready() == ready_at_rest;
            },
            limit);
    }
    bool at_least_ready(std::size_t count) {
        return eventually([&] {
            const auto list = session_list();
            return list.sessions_size() == 1 && list.sessions(0).ready() >= count;
        });
    }
    bool serves() {
        auto visitor = Peer::connect(port);
        return visitor.send("ping") && visitor.receive_text(4) == "ping";
    }

    std::string options;
    const Service service{echo};
    Port port = 0;
};
INSTANTIATE_TEST_SUITE_P(Mode, PoolTest, testing::Bool(), mode_name);

TEST_P(PoolTest, AVisitorTakesAReadyConnectionWithoutAWordToTheClient) {
    start();
    proxy->hold(control, true);
    EXPECT_TRUE(serves());
    EXPECT_TRUE(serves());
    proxy->hold(control, false);
    EXPECT_TRUE(at_least_ready(ready_at_rest)) << "they are replaced";
}

TEST_P(PoolTest, ReadyConnectionsThatBrokeAreNotGivenToVisitors) {
    start();
    proxy->cut(data);
    for (int i = 0; i < 5; ++i) EXPECT_TRUE(serves());
    EXPECT_EQ(mapping_show("service").refused_total(), 0u);
    EXPECT_TRUE(at_least_ready(ready_at_rest));
}

TEST_P(PoolTest, AVisitorWhoseReadyConnectionBreaksBeforeTheAnswerNoticesNothing) {
    start();
    const auto sent = pattern(300'000);
    proxy->hold(data, true);
    std::vector<Peer> visitors;
    for (int i = 0; i < 2; ++i) {
        visitors.push_back(Peer::connect(port));
        ASSERT_TRUE(visitors.back().send(BytesView(sent).first(20'000)));
    }
    ASSERT_TRUE(eventually([&] { return connection_list().connections_size() == 2; }));
    proxy->cut(data);
    proxy->hold(data, false);
    for (auto& visitor : visitors) {
        const auto received = send_and_receive(visitor, BytesView(sent).subspan(20'000));
        EXPECT_EQ(received.end, End::orderly);
        EXPECT_EQ(received.bytes, sent);
    }
    EXPECT_TRUE(logs.has({"server", "visitor moved"}));
    EXPECT_EQ(mapping_show("service").refused_total(), 0u);
    EXPECT_TRUE(idle());
}

TEST_P(PoolTest, OneWhoHalfClosedAtOnceNoticesNothingEither) {
    start();
    proxy->hold(data, true);
    auto visitor = Peer::connect(port);
    ASSERT_TRUE(visitor.send("all I have to say"));
    visitor.finish();
    ASSERT_TRUE(eventually([&] { return connection_list().connections_size() == 1; }));
    proxy->cut(data);
    proxy->hold(data, false);
    const auto received = visitor.receive_all();
    EXPECT_EQ(received.end, End::orderly);
    EXPECT_EQ(text_of(received.bytes), "all I have to say");
}

TEST_P(PoolTest, AVisitorWhoLeavesBeforeTheAnswerIsGone) {
    start();
    proxy->hold(data, true);
    auto visitor = Peer::connect(port);
    ASSERT_TRUE(visitor.send("hello?"));
    ASSERT_TRUE(eventually([&] { return connection_list().connections_size() == 1; }));
    visitor.reset();
    EXPECT_TRUE(idle());
    proxy->hold(data, false);
    EXPECT_TRUE(serves());
}

TEST_P(PoolTest, ADataConnectionServesOneVisitorAfterAnother) {
    start();
    const auto dialled = proxy->ever(data);
    constexpr std::size_t visits = 50;
    const auto sent = pattern(3'000);
    for (std::size_t i = 0; i < visits; ++i) {
        auto visitor = Peer::connect(port);
        const auto received = send_and_receive(visitor, sent);
        ASSERT_EQ(received.end, End::orderly) << i;
        ASSERT_EQ(received.bytes, sent) << i;
        ASSERT_TRUE(at_least_ready(1)) << i;
    }
    // How many are wanted ready follows the rate of visitors and the time of a dial, and so the machine.
    EXPECT_LE(proxy->ever(data), dialled + visits / 2);
    EXPECT_TRUE(eventually([&] { return status().data_connections_reused() >= visits - 5; }));
    EXPECT_EQ(mapping_show("service").visitors_total(), visits);
    EXPECT_TRUE(idle());
}

// The next visitor has nothing of the one before it, whichever of them ends how.
TEST_P(PoolTest, WhatAVisitorLeavesBehindDoesNotReachTheNext) {
    start();
    for (int round = 0; round < 20; ++round) {
        {
            auto rude = Peer::connect(port);
            ASSERT_TRUE(rude.send("what the next one must not see"));
            ASSERT_EQ(rude.receive_text(4), "what");
            if (round % 2 == 0) rude.reset();
        }
        auto visitor = Peer::connect(port);
        ASSERT_TRUE(visitor.send("mine"));
        visitor.finish();
        const auto received = visitor.receive_all();
        ASSERT_EQ(received.end, End::orderly) << round;
        ASSERT_EQ(text_of(received.bytes), "mine") << round;
    }
    EXPECT_TRUE(idle());
}

TEST_P(PoolTest, OneThatBreaksBetweenTwoVisitorsIsReplaced) {
    start();
    for (int round = 0; round < 5; ++round) {
        EXPECT_TRUE(serves());
        proxy->cut(data);
        EXPECT_TRUE(serves());
        EXPECT_TRUE(at_least_ready(1));
    }
    EXPECT_EQ(mapping_show("service").refused_total(), 0u);
}

// A plain one that has carried bulk is raw, and ends with its visitor.
TEST_P(PoolTest, BulkPassesWholeOnConnectionsThatHaveServedBefore) {
    start();
    const auto sent = pattern(2'000'000);
    for (int round = 0; round < 6; ++round) {
        EXPECT_TRUE(serves());
        ASSERT_TRUE(at_least_ready(1));
        auto visitor = Peer::connect(port);
        const auto received = send_and_receive(visitor, sent);
        ASSERT_EQ(received.end, End::orderly);
        ASSERT_TRUE(received.bytes == sent);
    }
    EXPECT_TRUE(idle());
    EXPECT_TRUE(at_rest(Millis(25'000))) << "what is too many for long is closed";
}

TEST_P(PoolTest, WithoutAPoolEachVisitorHasItsConnectionDialled) {
    start_server("[limits]\nready_per_client = 0\n");
    start_proxy();
    port = expose(service);
    ASSERT_TRUE(serves());
    EXPECT_TRUE(serves());
    EXPECT_EQ(proxy->ever(data), 2u);
}

TEST_P(PoolTest, AClientThatIsGoneHasNothingReady) {
    start();
    proxy->cut(control);
    EXPECT_TRUE(eventually([&] { return logs.count({"server", "session opened"}) == 2; }));
    EXPECT_TRUE(serves());
    // And the one that has served comes back.
    EXPECT_TRUE(eventually([&] { return proxy->open(data) <= ready_at_rest + 1; }))
        << "those of the earlier session are closed";
}

}  // namespace
}  // namespace tunnel::test
