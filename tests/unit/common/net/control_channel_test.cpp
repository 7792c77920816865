#include "common/net/control_channel.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/common/net/channel_pair.hpp"

namespace tunnel::net {
namespace {

using namespace test;
using testing::ElementsAre;
using testing::HasSubstr;
using wire::a_login;
using wire::an_acceptance;
using wire::ControlMessage;
using wire::Goodbye;

class ControlChannelTest : public testing::Test {
  protected:
    explicit ControlChannelTest(wire::HeartbeatTimes times = calm) {
        server_.emplace(loop_, std::move(sockets_.far), std::move(sessions_.server), wire::End::server,
                        times);
        client_.emplace(loop_, std::move(sockets_.near), std::move(sessions_.client), wire::End::client,
                        times);
        server_->on_message = [this](const ControlMessage& message) {
            if (std::holds_alternative<wire::Login>(message)) server_->channel().send(an_acceptance());
        };
    }
    void log_in() {
        server_->start();
        client_->start();
        client_->channel().send(a_login());
        ASSERT_TRUE(client_->wait_for(1));
        EXPECT_THAT(client_->got, ElementsAre(an_acceptance()));
        EXPECT_THAT(server_->got, ElementsAre(a_login()));
    }
    void finish() {
        server_->channel().abort({Errc::closed, "the test is over", 0});
        client_->channel().abort({Errc::closed, "the test is over", 0});
        loop_.run();
    }

    TestLoop loop_;
    TcpPair sockets_;
    tls::test::Pair sessions_;
    std::optional<ChannelEnd> server_;
    std::optional<ChannelEnd> client_;
};

TEST_F(ControlChannelTest, ALoginAndWhatFollows) {
    log_in();
    const wire::Declare declare{{{"ssh", 2222, "127.0.0.1:22", true, 0}}};
    const wire::Dial dial{TicketNumber{1}, 3};
    client_->channel().send(declare);
    server_->channel().send(dial);
    ASSERT_TRUE(server_->wait_for(2));
    ASSERT_TRUE(client_->wait_for(2));
    EXPECT_EQ(server_->got[1], ControlMessage(declare));
    EXPECT_EQ(client_->got[1], ControlMessage(dial));
    finish();
}

TEST_F(ControlChannelTest, MeasuresTheRoundTrip) {
    log_in();
    EXPECT_TRUE(loop_.run_until([this] {
        return server_->channel().round_trip().has_value() && client_->channel().round_trip().has_value();
    })) << "the first ping leaves at once, not after the interval";
    finish();
}

TEST_F(ControlChannelTest, BothEndsExportTheSameKey) {
    const auto server = server_->channel().export_key("EXPORTER-test", 32);
    const auto client = client_->channel().export_key("EXPORTER-test", 32);
    ASSERT_TRUE(server && client);
    EXPECT_TRUE(*server == *client);
}

TEST_F(ControlChannelTest, AGoodbyeReachesThePeerAndEndsBoth) {
    log_in();
    const Goodbye goodbye{Goodbye::Code::replaced, "another client has this name"};
    server_->channel().close(goodbye);
    server_->channel().send(wire::Dial{TicketNumber{1}, 1});  // too late
    ASSERT_TRUE(server_->wait_for_end());
    ASSERT_TRUE(client_->wait_for_end());
    EXPECT_THAT(client_->got, ElementsAre(an_acceptance(), ControlMessage(goodbye)));
    EXPECT_EQ(client_->ended->code, Errc::closed);
    EXPECT_EQ(server_->ended->code, Errc::closed);
    EXPECT_EQ(server_->ended->message, goodbye.message);
    loop_.run();
}

TEST_F(ControlChannelTest, AGoodbyeComesAfterAllThatWasSentBefore) {
    log_in();
    wire::MappingStates states;
    states.mappings.resize(wire::max_mappings);
    for (auto& state : states.mappings) state.error = std::string(500, 'e');
    for (int i = 0; i < 3; ++i) server_->channel().send(states);
    server_->channel().close({Goodbye::Code::restarting, "back soon"});
    ASSERT_TRUE(client_->wait_for_end());
    ASSERT_EQ(client_->got.size(), 5u);
    EXPECT_EQ(client_->got[3], ControlMessage(states));
    EXPECT_TRUE(std::holds_alternative<Goodbye>(client_->got[4]));
    loop_.run();
}

TEST_F(ControlChannelTest, AMessageHandlerMayClose) {
    server_->on_message = [this](const ControlMessage&) {
        server_->channel().close({Goodbye::Code::refused, "wrong secret"});
    };
    server_->start();
    client_->start();
    client_->channel().send(a_login());
    ASSERT_TRUE(client_->wait_for_end());
    EXPECT_THAT(client_->got, ElementsAre(ControlMessage(Goodbye{Goodbye::Code::refused, "wrong secret"})));
    loop_.run();
    EXPECT_EQ(server_->ended->message, "wrong secret");
}

TEST_F(ControlChannelTest, BothMayCloseAtTheSameTime) {
    log_in();
    server_->channel().close({Goodbye::Code::restarting, "the server leaves"});
    client_->channel().close({Goodbye::Code::leaving, "the client leaves"});
    loop_.run();
    EXPECT_EQ(server_->ended->message, "the server leaves");
    EXPECT_EQ(client_->ended->message, "the client leaves");
}

TEST_F(ControlChannelTest, AbortEndsAtOnceWithItsReason) {
    log_in();
    server_->channel().abort({Errc::timeout, "the reason", 0});
    server_->channel().abort({Errc::io, "a later reason", 0});
    ASSERT_TRUE(server_->wait_for_end());
    EXPECT_EQ(server_->ended->code, Errc::timeout);
    EXPECT_EQ(server_->ended->message, "the reason");
    ASSERT_TRUE(client_->wait_for_end()) << "the peer sees its connection close";
    loop_.run();
}

TEST_F(ControlChannelTest, AMessageHandlerMayAbort) {
    server_->on_message = [this](const ControlMessage&) {
        server_->channel().abort({Errc::not_allowed, "no", 0});
    };
    server_->start();
    client_->start();
    client_->channel().send(a_login());
    loop_.run();
    EXPECT_EQ(server_->ended->message, "no");
}

TEST_F(ControlChannelTest, AbortBeforeItRunsEndsItAtOnce) {
    server_->channel().abort({Errc::closed, "before", 0});
    server_->start();
    ASSERT_TRUE(server_->wait_for_end());
    EXPECT_EQ(server_->ended->message, "before");
    server_->channel().abort({Errc::closed, "after", 0});
    server_->channel().send(a_login());
}

awaitable<void> join(TaskGroup& group) {
    co_await group.join();
}

awaitable<void> run_channel(ControlChannel& channel) {
    auto pending = channel.run([](const ControlMessage&) {});
    const auto error = co_await std::move(pending);
    EXPECT_NE(error.message, "");
}

TEST_F(ControlChannelTest, ACancelledTaskEndsIt) {
    TaskGroup group(loop_.executor(), [](const std::exception& bug) { ADD_FAILURE() << bug.what(); });
    group.spawn(run_channel(server_->channel()));
    loop_.settle();
    group.cancel();
    loop_.spawn(join(group));
    loop_.run();
}

class ShortHeartbeat : public ControlChannelTest {
  protected:
    ShortHeartbeat() : ControlChannelTest({Millis(50), Millis(1000)}) {}
};

TEST_F(ShortHeartbeat, KeepsAnIdleConnectionAlive) {
    log_in();
    const auto end = Clock::now() + Millis(1500);
    loop_.run_until([this, end] { return Clock::now() >= end || server_->ended || client_->ended; });
    EXPECT_FALSE(server_->ended);
    EXPECT_FALSE(client_->ended);
    finish();
}

TEST_F(ControlChannelTest, NewTimesHoldFromNowOn) {
    log_in();
    ASSERT_TRUE(loop_.run_until([this] { return client_->channel().round_trip().has_value(); }));
    // Nobody answers: the client's end stands still.
    loop_.run_until([this] { return server_->channel().round_trip().has_value(); });
    server_->channel().set_times({Millis(20), Millis(60'000)});
    client_->channel().set_times({Millis(20), Millis(60'000)});
    const auto before = client_->channel().round_trip();
    EXPECT_TRUE(loop_.run_until([&] { return client_->channel().round_trip() != before; }));
    finish();
}

}  // namespace
}  // namespace tunnel::net
