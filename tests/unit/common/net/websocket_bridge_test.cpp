// Whole transfers through two relays whose data connection is carried inside WebSocket, over TCP and over
// TLS: what the relays promise holds across the bridges.

#include "common/net/websocket_bridge.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include "common/net/loopback_pair.hpp"
#include "common/net/websocket_upgrade.hpp"
#include "tests/unit/common/net/relay_chain.hpp"
#include "tests/unit/common/tls/session_pair.hpp"
#include "tests/unit/common/wire/seeded_random.hpp"

namespace tunnel::net {
namespace {

using namespace test;
using testing::HasSubstr;

constexpr Liveness calm{Millis(10'000), Millis(60'000)};

// Both ends of the outer stream. The second descriptors keep what is between them in the test's reach.
class Bridged {
  public:
    Bridged(TestLoop& loop, UniqueFd server_end, UniqueFd client_end, bool with_tls, Liveness liveness = calm)
        : with_tls_(with_tls),
          liveness_(liveness),
          server_end_(std::move(server_end)),
          client_end_(std::move(client_end)) {
        loop.spawn(serve(OuterStream(loop.executor(), std::move(pair_.far))));
        loop.spawn(connect(OuterStream(loop.executor(), std::move(pair_.near))));
    }
    std::optional<Status> server;
    std::optional<Status> client;

  private:
    awaitable<void> serve(OuterStream outer) {
        Status ready;
        if (with_tls_) ready = co_await outer.start_tls(tls::Session::server(tls::test::server_context()));
        EXPECT_TRUE(ready);
        const auto request = co_await answer_websocket(outer);
        EXPECT_TRUE(request);
        WebSocketBridge bridge(std::move(outer), std::move(server_end_), wire::End::server, liveness_);
        server = co_await bridge.run();
    }
    awaitable<void> connect(OuterStream outer) {
        Status ready;
        auto context = tls::ClientContext::make(tls::AnyServer{}, "tunnel.test", tls::Alpn::http_1_1);
        if (with_tls_) ready = co_await outer.start_tls(tls::Session::client(*context));
        EXPECT_TRUE(ready);
        ready = co_await ask_for_websocket(outer, "tunnel.test");
        EXPECT_TRUE(ready);
        WebSocketBridge bridge(std::move(outer), std::move(client_end_), wire::End::client, liveness_);
        client = co_await bridge.run();
    }

    bool with_tls_;
    Liveness liveness_;
    UniqueFd server_end_;
    UniqueFd client_end_;
    TcpPair pair_;
};

std::size_t a_size(wire::SeededRandom& random) {
    constexpr std::size_t edges[] = {0, 1, 125, 126, 32'768, 65'535, 65'536};
    switch (random.below(4)) {
        case 0:
            return edges[random.below(std::size(edges))];
        case 1:
            return random.below(1000);
        default:
            return random.below(1'500'000);
    }
}

ChainPlan a_plan(wire::SeededRandom& random) {
    ChainPlan plan;
    plan.mode = random.coin() ? Mode::encrypted : Mode::plain;
    for (auto* party : {&plan.visitor, &plan.service}) {
        party->seed = random.number();
        party->to_send = a_size(random);
        party->write_chunk = 1 + party->to_send / 3000 + random.below(100'000);
        party->read_start = random.below(3) == 0 ? ReadStart::when_sender_blocked : ReadStart::at_once;
    }
    plan.visitor.peer_seed = plan.service.seed;
    plan.service.peer_seed = plan.visitor.seed;
    if (random.coin()) (random.coin() ? plan.visitor : plan.service).half_close = HalfClose::after_eof;
    return plan;
}

struct BridgedChain {
    BridgedChain(TestLoop& loop, Lent& lent, const ChainPlan& plan, bool with_tls, Liveness liveness = calm)
        : chain(loop, lent, plan, Chain::Data::cut),
          bridged(loop, std::move(chain.server_end), std::move(chain.client_end), with_tls, liveness) {
        chain.start();
    }
    Chain chain;
    Bridged bridged;
};

class WebSocketBridgeOver : public testing::TestWithParam<bool> {
  protected:
    wire::SeededRandom random_;
    TestLoop loop_;
    Lent lent_{loop_};
};
INSTANTIATE_TEST_SUITE_P(Outer, WebSocketBridgeOver, testing::Bool(),
                         [](const auto& over) { return over.param ? "Tls" : "Tcp"; });

TEST_P(WebSocketBridgeOver, EveryByteArrivesOnceAndBothEndsAreOrderly) {
    const auto descriptors = open_descriptors();
    for (int round = 0; round < 40 && !HasFailure(); ++round) {
        const auto plan = a_plan(random_);
        SCOPED_TRACE(plan.text());
        TestLoop loop;
        Lent lent(loop);
        BridgedChain carried(loop, lent, plan, GetParam());
        loop.run();
        expect_complete(carried.chain);
        EXPECT_TRUE(carried.bridged.server.value()) << carried.bridged.server->error().message;
        EXPECT_TRUE(carried.bridged.client.value()) << carried.bridged.client->error().message;
    }
    EXPECT_EQ(open_descriptors(), descriptors);
}

TEST_P(WebSocketBridgeOver, AResetOfEitherEndIsAResetForTheOther) {
    for (int round = 0; round < 20 && !HasFailure(); ++round) {
        auto plan = a_plan(random_);
        auto& breaker = random_.coin() ? plan.visitor : plan.service;
        auto& other = &breaker == &plan.visitor ? plan.service : plan.visitor;
        breaker.to_send = 100'000 + random_.below(500'000);
        breaker.reset_after_sent = 1 + random_.below(breaker.to_send / 2);
        breaker.read_start = ReadStart::at_once;
        breaker.half_close = HalfClose::never;
        other.read_start = ReadStart::at_once;
        other.half_close = HalfClose::never;
        SCOPED_TRACE(plan.text());
        BridgedChain carried(loop_, lent_, plan, GetParam());
        loop_.run();
        expect_broken(carried.chain);
        EXPECT_FALSE(carried.bridged.server.value());
        EXPECT_FALSE(carried.bridged.client.value());
    }
}

// One bridge, and the test at the other end of its outer stream.
class WebSocketBridgeAlone : public testing::Test {
  protected:
    void start(Liveness liveness = calm) {
        auto local = make_loopback_pair();
        ASSERT_TRUE(local);
        local_ = std::move(local->theirs);
        bridge_.emplace(OuterStream(loop_.executor(), std::move(pair_.near)), std::move(local->ours),
                        wire::End::client, liveness);
        loop_.spawn(run());
    }
    awaitable<void> run() { ended_ = co_await bridge_->run(); }
    bool ended() {
        return loop_.run_until([this] { return ended_.has_value(); });
    }
    void say(wire::WebSocketOpcode opcode, BytesView payload) {
        Bytes frame;
        wire::append_websocket_frame(frame, opcode, payload, std::nullopt);
        send_all(pair_.far.get(), frame);
    }
    // What the bridge has said, as soon as `enough` holds.
    template <class Enough>
    bool hear(Enough enough) {
        return loop_.run_until([&] {
            Bytes bytes(65536);
            const auto n = ::recv(pair_.far.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
            if (n > 0) {
                EXPECT_TRUE(reader_.feed(BytesView(bytes).first(static_cast<std::size_t>(n)), heard_));
            }
            return enough();
        });
    }

    TestLoop loop_;
    TcpPair pair_;
    UniqueFd local_;
    std::optional<WebSocketBridge> bridge_;
    std::optional<Status> ended_;
    wire::WebSocketReader reader_{wire::End::server};
    wire::WebSocketInput heard_;
};

TEST_F(WebSocketBridgeAlone, AnOuterStreamThatEndsBeforeItsStreamIsAReset) {
    start();
    say(wire::WebSocketOpcode::binary, view_of("half a tr"));
    loop_.settle();
    pair_.far.reset();
    ASSERT_TRUE(ended());
    EXPECT_FALSE(*ended_);
    EXPECT_EQ(end_of(local_.get()), ECONNRESET);
}

TEST_F(WebSocketBridgeAlone, AnEarlyCloseFrameIsAReset) {
    start();
    say(wire::WebSocketOpcode::binary, {});  // one direction only
    Bytes frame;
    wire::append_websocket_close(frame, 1000, std::nullopt);
    send_all(pair_.far.get(), frame);
    ASSERT_TRUE(ended());
    ASSERT_FALSE(*ended_);
    EXPECT_THAT(ended_->error().message, HasSubstr("before its stream had ended"));
}

TEST_F(WebSocketBridgeAlone, WhatIsNoWebSocketIsAReset) {
    start();
    send_all(pair_.far.get(), view_of("HTTP/1.1 502 Bad Gateway\r\n\r\n"));
    ASSERT_TRUE(ended());
    EXPECT_EQ((*ended_).error().code, Errc::protocol);
    EXPECT_EQ(end_of(local_.get()), ECONNRESET);
}

TEST_F(WebSocketBridgeAlone, HalfAStreamMayEndAndTheOtherGoesOn) {
    start();
    say(wire::WebSocketOpcode::binary, {});
    EXPECT_TRUE(loop_.run_until([this] {
        Byte byte = 0;
        return ::recv(local_.get(), &byte, 1, MSG_DONTWAIT) == 0;
    }));
    send_all(local_.get(), view_of("still here"));
    EXPECT_TRUE(hear([this] { return text_of(heard_.data) == "still here"; }));
    EXPECT_FALSE(heard_.ended);
    ::shutdown(local_.get(), SHUT_WR);
    EXPECT_TRUE(hear([this] { return heard_.closed; }));
    EXPECT_TRUE(heard_.ended);
    pair_.far.reset();
    ASSERT_TRUE(ended());
    EXPECT_TRUE(*ended_);
}

TEST_F(WebSocketBridgeAlone, PingsAreSentAndAnswered) {
    start({Millis(50), Millis(60'000)});
    EXPECT_TRUE(hear([this] { return heard_.ping.has_value(); }));
    Bytes pong;
    wire::append_websocket_frame(pong, wire::WebSocketOpcode::pong, {}, std::nullopt);
    say(wire::WebSocketOpcode::ping, view_of("hello"));
    EXPECT_TRUE(loop_.run_until([&] {
        Bytes bytes(4096);
        const auto n = ::recv(pair_.far.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
        // Masked, so that only its size tells it: head, mask and payload.
        const Byte masked_5 = 0x85;
        for (ssize_t i = 0; i + 1 < n; ++i)
            if (bytes[static_cast<std::size_t>(i)] == 0x8a &&
                bytes[static_cast<std::size_t>(i) + 1] == masked_5)
                return true;
        return false;
    }));
    pair_.far.reset();
    EXPECT_TRUE(ended());
}

TEST_F(WebSocketBridgeAlone, ASilentPeerIsGivenUp) {
    start({Millis(20), Millis(100)});
    ASSERT_TRUE(ended());
    ASSERT_FALSE(*ended_);
    EXPECT_EQ(ended_->error().code, Errc::timeout);
    EXPECT_EQ(end_of(local_.get()), ECONNRESET);
}

TEST_F(WebSocketBridgeAlone, AReaderThatPausesSlowsItsWriterAndIsNotTakenForDead) {
    start({Millis(20), Millis(100)});
    // Nobody reads the local end: some megabytes fill it, and then the outer stream's.
    const Bytes block(65536, 'x');
    Bytes frame;
    wire::append_websocket_frame(frame, wire::WebSocketOpcode::binary, block, std::nullopt);
    std::size_t sent = 0;
    Bytes rest;
    const auto push = [&] {
        if (rest.empty()) rest = frame;
        const auto n = ::send(pair_.far.get(), rest.data(), rest.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n <= 0) return false;
        sent += static_cast<std::size_t>(n);
        rest.erase(rest.begin(), rest.begin() + n);
        return true;
    };
    auto last = Clock::now();
    EXPECT_TRUE(loop_.run_until([&] {
        if (push()) last = Clock::now();
        return Clock::now() - last > Millis(300);  // three times the silence that is allowed
    }));
    EXPECT_FALSE(ended_) << ended_->error().message;
    EXPECT_LT(sent, std::size_t{64} * 1024 * 1024);
    // All of it arrives once somebody reads.
    std::size_t got = 0;
    Bytes buffer(262'144);
    EXPECT_TRUE(loop_.run_until([&] {
        const auto n = ::recv(local_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
        if (n > 0) got += static_cast<std::size_t>(n);
        return got + 65536 >= sent - sent / frame.size() * wire::max_websocket_overhead;
    }));
    local_.reset();
    pair_.far.reset();
    EXPECT_TRUE(ended());
}

TEST_F(WebSocketBridgeAlone, AResetIsPassedOnAlthoughThePeerReadsNothing) {
    start();
    const Bytes block(262'144, 'x');
    // Until nothing more goes: the outer stream is full.
    auto last = Clock::now();
    EXPECT_TRUE(loop_.run_until([&] {
        if (::send(local_.get(), block.data(), block.size(), MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
            last = Clock::now();
        return Clock::now() - last > Millis(100);
    }));
    reset(local_);
    ASSERT_TRUE(ended());
    EXPECT_FALSE(*ended_);
}

TEST(LoopbackPair, IsConnectedToItself) {
    auto pair = make_loopback_pair();
    ASSERT_TRUE(pair);
    send_all(pair->ours.get(), view_of("ping"));
    EXPECT_EQ(receive_exactly(pair->theirs.get(), 4), Bytes({'p', 'i', 'n', 'g'}));
    send_all(pair->theirs.get(), view_of("pong"));
    EXPECT_EQ(receive_exactly(pair->ours.get(), 4), Bytes({'p', 'o', 'n', 'g'}));
    reset(pair->ours);
    EXPECT_EQ(end_of(pair->theirs.get()), ECONNRESET);
}

}  // namespace
}  // namespace tunnel::net
