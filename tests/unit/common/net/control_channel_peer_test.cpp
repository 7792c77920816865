// The server's end of a control connection against peers that do what no client of ours does.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/net/deadline.hpp"
#include "tests/unit/common/net/channel_pair.hpp"

namespace tunnel::net {
namespace {

using namespace test;
using testing::HasSubstr;
using wire::a_login;
using wire::an_acceptance;
using wire::ControlMessage;
using wire::Goodbye;

class StrangePeer : public testing::Test {
  protected:
    explicit StrangePeer(BufferSizes sizes = {}) : sockets_(sizes) {}
    void start(wire::HeartbeatTimes times = calm) {
        server_.emplace(loop_, std::move(sockets_.far), std::move(sessions_.server), wire::End::server,
                        times);
        server_->on_message = [this](const ControlMessage& message) {
            if (std::holds_alternative<wire::Login>(message)) server_->channel().send(an_acceptance());
        };
        server_->start();
    }
    void log_in() {
        peer_.say_hello();
        peer_.say(a_login());
        ASSERT_TRUE(server_->wait_for(1));
    }
    // Handles the server's events while the peer listens.
    template <class Condition>
    bool listen_until(Condition condition) {
        return loop_.run_until([&] {
            peer_.listen();
            return condition();
        });
    }
    std::optional<Goodbye> goodbye() const {
        if (peer_.got.empty()) return std::nullopt;
        const auto* last = std::get_if<Goodbye>(&peer_.got.back());
        return last != nullptr ? std::optional<Goodbye>(*last) : std::nullopt;
    }

    TestLoop loop_;
    TcpPair sockets_;
    tls::test::Pair sessions_;
    RawPeer peer_{std::move(sockets_.near), std::move(sessions_.client)};
    std::optional<ChannelEnd> server_;
};

TEST_F(StrangePeer, BreakingTheProtocolGetsAGoodbyeThatSaysSo) {
    start();
    peer_.say_hello();
    peer_.say(wire::Declare{});
    ASSERT_TRUE(listen_until([this] { return server_->ended.has_value(); }));
    peer_.listen();
    EXPECT_EQ(server_->ended->code, Errc::protocol);
    ASSERT_TRUE(goodbye());
    EXPECT_EQ(goodbye()->code, Goodbye::Code::protocol_error);
    EXPECT_EQ(goodbye()->message, server_->ended->message);
    EXPECT_TRUE(peer_.saw_close_notify);
}

TEST_F(StrangePeer, WhatIsNoHelloGetsAGoodbye) {
    start();
    peer_.say(view_of("GET / HTTP/1.1\r\n\r\n"));
    ASSERT_TRUE(listen_until([this] { return server_->ended.has_value(); }));
    peer_.listen();
    EXPECT_EQ(server_->ended->code, Errc::protocol);
    EXPECT_TRUE(goodbye());
}

TEST_F(StrangePeer, AFrameBeyondItsLimitGetsAGoodbye) {
    start();
    peer_.say_hello();
    peer_.say(Bytes{0x7f, 0xff, 0xff, 0xff});
    ASSERT_TRUE(listen_until([this] { return server_->ended.has_value(); }));
    peer_.listen();
    EXPECT_EQ(server_->ended->code, Errc::limit);
    EXPECT_TRUE(goodbye());
}

TEST_F(StrangePeer, MessagesBeforeTheMistakeAreStillTaken) {
    start();
    peer_.say_hello();
    Bytes frames;
    wire::append_frame(frames, wire::encode(ControlMessage(a_login())));
    wire::append_frame(frames, view_of("no message"));
    peer_.say(frames);
    ASSERT_TRUE(listen_until([this] { return server_->ended.has_value(); }));
    EXPECT_EQ(server_->got.size(), 1u);
    EXPECT_EQ(server_->ended->code, Errc::protocol);
}

TEST_F(StrangePeer, OneThatReadsNothingIsGivenUpAtFourMebibytes) {
    start();
    log_in();
    wire::MappingStates states;
    states.mappings.resize(100);
    for (auto& state : states.mappings) state.error = std::string(1000, 'e');
    const auto size = wire::encode(ControlMessage(states)).size();
    std::size_t queued = 0;
    while (!server_->ended && queued < std::size_t{64} << 20) {
        server_->channel().send(states);
        queued += size;
        loop_.settle();
    }
    ASSERT_TRUE(server_->wait_for_end());
    EXPECT_EQ(server_->ended->code, Errc::limit);
    EXPECT_GT(queued, std::size_t{4} << 20);
    // Besides what our own queue holds, the kernel took some.
    EXPECT_LT(queued, std::size_t{24} << 20);
}

TEST_F(StrangePeer, OneThatReadsSlowlyIsNotGivenUp) {
    start();
    log_in();
    wire::MappingStates states;
    states.mappings.resize(100);
    for (auto& state : states.mappings) state.error = std::string(1000, 'e');
    for (int i = 0; i < 200; ++i) {  // 20 MB
        server_->channel().send(states);
        const auto wanted = static_cast<std::size_t>(std::max(0, i - 10));
        ASSERT_TRUE(listen_until([this, wanted] { return peer_.got.size() >= wanted || server_->ended; }));
        ASSERT_FALSE(server_->ended) << server_->ended->message;
    }
    server_->channel().abort({Errc::closed, "the test is over", 0});
    loop_.run();
}

TEST_F(StrangePeer, SilenceEndsTheConnection) {
    start({Millis(20), Millis(100)});
    ASSERT_TRUE(server_->wait_for_end()) << "before its login";
    EXPECT_EQ(server_->ended->code, Errc::timeout);
    EXPECT_THAT(server_->ended->message, HasSubstr("100ms"));
}

TEST_F(StrangePeer, SilenceAfterTheLoginEndsItToo) {
    start({Millis(100), Millis(1000)});
    log_in();
    ASSERT_TRUE(server_->wait_for_end());
    EXPECT_EQ(server_->ended->code, Errc::timeout);
    peer_.listen();
    EXPECT_TRUE(std::any_of(peer_.got.begin(), peer_.got.end(),
                            [](const auto& m) { return std::holds_alternative<wire::Ping>(m); }));
}

TEST_F(StrangePeer, AConnectionThatIsCutEndsIt) {
    start();
    log_in();
    peer_.close();
    ASSERT_TRUE(server_->wait_for_end());
    loop_.run();
}

TEST_F(StrangePeer, AResetEndsItAsAnIoError) {
    start();
    log_in();
    loop_.settle();
    peer_.reset();
    ASSERT_TRUE(server_->wait_for_end());
    EXPECT_EQ(server_->ended->code, Errc::io);
}

TEST_F(StrangePeer, ACloseNotifyEndsIt) {
    start();
    log_in();
    peer_.end_tls();
    ASSERT_TRUE(server_->wait_for_end());
    EXPECT_EQ(server_->ended->code, Errc::closed);
}

// One that heard the goodbye but keeps its end open gets a second, not for ever.
TEST_F(StrangePeer, OneThatStaysAfterTheGoodbyeIsLeft) {
    start();
    log_in();
    server_->channel().close({Goodbye::Code::revoked, "no more"});
    ASSERT_TRUE(listen_until([this] { return goodbye().has_value(); }));
    ASSERT_TRUE(server_->wait_for_end());
    EXPECT_EQ(server_->ended->message, "no more");
}

TEST_F(StrangePeer, OneThatGoesOnTalkingAfterTheGoodbyeIsLeft) {
    start();
    log_in();
    server_->channel().close({Goodbye::Code::revoked, "no more"});
    ASSERT_TRUE(listen_until([this] { return goodbye().has_value(); }));
    const auto end = Clock::now() + Seconds(10);
    peer_.say(wire::Ping{1});
    loop_.run_until([this, end] { return server_->ended || Clock::now() >= end; });
    ASSERT_TRUE(server_->ended) << "what the peer says must not call off the time limit";
    EXPECT_EQ(server_->ended->message, "no more");
}

// A peer in the middle of a flood of small records still gets to hear why it is turned away.
TEST_F(StrangePeer, AFloodDoesNotTakeTheGoodbyeAway) {
    start();
    log_in();
    peer_.listen();
    server_->on_message = [this](const ControlMessage& message) {
        if (std::holds_alternative<wire::DialFailed>(message))
            server_->channel().close({Goodbye::Code::refused, "enough"});
    };
    for (std::uint64_t i = 0; i < 6000; ++i) peer_.say(wire::DialFailed{TicketNumber{i}, "no"});
    ASSERT_TRUE(listen_until([this] { return goodbye().has_value() || server_->ended; }));
    peer_.listen();
    ASSERT_TRUE(goodbye());
    EXPECT_EQ(goodbye()->message, "enough");
    peer_.close();
    loop_.run();
    EXPECT_EQ(server_->ended->message, "enough");
}

class NarrowPeer : public StrangePeer {
  protected:
    NarrowPeer() : StrangePeer({32768, 32768}) {}
};

// The socket takes bytes again in the very moment of the abort: the write that follows must not wait for a
// peer that reads no more.
TEST_F(NarrowPeer, AbortEndsAWriteThatCouldJustGoOn) {
    start();
    log_in();
    wire::MappingStates states;
    states.mappings.resize(1000);
    for (auto& state : states.mappings) state.error = std::string(2000, 'e');
    server_->channel().send(states);
    loop_.settle();
    asio::post(loop_.executor(), [this] {
        Bytes buffer(1 << 20);
        while (::recv(peer_.fd(), buffer.data(), buffer.size(), MSG_DONTWAIT) > 0) {
        }
        asio::post(loop_.executor(), [this] { server_->channel().abort({Errc::closed, "now", 0}); });
    });
    const auto end = Clock::now() + Seconds(10);
    loop_.run_until([this, end] { return server_->ended || Clock::now() >= end; });
    ASSERT_TRUE(server_->ended);
    EXPECT_EQ(server_->ended->message, "now");
}

awaitable<void> shake_hands(Descriptor& socket, tls::Session& session, std::optional<Status>& result) {
    auto ok = co_await tls_handshake(socket, session);
    result = std::move(ok);
}

class Handshake : public testing::Test {
  protected:
    void run() {
        loop_.spawn(shake_hands(near_, client_, client_result_));
        loop_.spawn(shake_hands(far_, server_, server_result_));
        loop_.run();
    }
    TestLoop loop_;
    TcpPair pair_;
    Descriptor near_{loop_.executor(), pair_.near.release()};
    Descriptor far_{loop_.executor(), pair_.far.release()};
    tls::Session client_ = tls::Session::client(tls::test::pinning_context());
    tls::Session server_ = tls::Session::server(tls::test::server_context());
    std::optional<Status> client_result_;
    std::optional<Status> server_result_;
};

TEST_F(Handshake, EstablishesBothEnds) {
    run();
    EXPECT_TRUE(*client_result_);
    EXPECT_TRUE(*server_result_);
    EXPECT_TRUE(client_.established());
    EXPECT_TRUE(server_.established());
}

TEST_F(Handshake, AWrongPinFailsAndTheServerHearsWhy) {
    const auto other = tls::make_identity("tunnel.test").value();
    client_ = tls::Session::client(tls::test::pinning_context(other));
    run();
    ASSERT_FALSE(*client_result_);
    EXPECT_EQ(client_result_->error().code, Errc::unauthenticated);
    ASSERT_FALSE(*server_result_);
    EXPECT_EQ(server_result_->error().code, Errc::protocol) << server_result_->error().message;
}

TEST_F(Handshake, ADeadlineEndsOneThatNobodyAnswers) {
    const Deadline deadline(loop_.executor(), Millis(20), [this] { near_.cancel(); });
    loop_.spawn(shake_hands(near_, client_, client_result_));
    loop_.run();
    ASSERT_FALSE(*client_result_);
    EXPECT_EQ(client_result_->error().code, Errc::timeout);
    EXPECT_TRUE(deadline.expired());
}

TEST_F(Handshake, APeerThatHangsUpIsClosed) {
    far_.close();
    loop_.spawn(shake_hands(near_, client_, client_result_));
    loop_.run();
    EXPECT_FALSE(*client_result_);
}

}  // namespace
}  // namespace tunnel::net
