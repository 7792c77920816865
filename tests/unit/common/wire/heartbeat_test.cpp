// The control link's heartbeat: pings, pongs, silence and what deadline() promises to its driver.
#include <gtest/gtest.h>

#include "tests/unit/common/wire/link_pair.hpp"
#include "tests/unit/common/wire/seeded_random.hpp"

namespace tunnel::wire {
namespace {

using std::chrono::microseconds;
using std::chrono::nanoseconds;

// The messages that a link wants to send, its hello left out.
std::vector<ControlMessage> sent_messages(ControlLink& link) {
    const Bytes bytes = link.take_output();
    FrameReader reader(max_frame_to_client);
    reader.feed(bytes);
    std::vector<ControlMessage> out;
    for (;;) {
        auto frame = reader.next();
        if (!frame || !*frame) return out;
        out.push_back(decode(**frame).value());
    }
}

std::uint64_t only_ping(ControlLink& link) {
    const auto messages = sent_messages(link);
    EXPECT_EQ(messages.size(), 1U);
    const auto* ping = messages.empty() ? nullptr : std::get_if<Ping>(&messages[0]);
    EXPECT_NE(ping, nullptr);
    return ping == nullptr ? 0 : ping->nonce;
}

TEST(Heartbeat, BeforeTheLoginThereAreNoPingsAndSilenceEnds) {
    for (const End end : {End::server, End::client}) {
        ControlLink link(end, ten_and_thirty, start);
        (void)link.take_output();
        EXPECT_EQ(link.deadline(), start + Seconds(30));
        for (int second = 0; second < 30; ++second) {
            ASSERT_TRUE(link.tick(start + Seconds(second)));
            ASSERT_TRUE(link.take_output().empty());
        }
        const auto status = link.tick(start + Seconds(30));
        ASSERT_FALSE(status);
        EXPECT_EQ(status.error().code, Errc::timeout);
    }
}

TEST(Heartbeat, SilenceEndsExactlyAtTheTimeout) {
    LinkPair pair;
    pair.log_in();
    for (ControlLink* link : {&pair.server, &pair.client}) {
        EXPECT_TRUE(link->tick(start + Seconds(30) - nanoseconds(1)));
        const auto status = link->tick(start + Seconds(30));
        ASSERT_FALSE(status);
        EXPECT_EQ(status.error().code, Errc::timeout);
        EXPECT_NE(status.error().message.find("30s"), std::string::npos) << status.error().message;
    }
}

TEST(Heartbeat, AnyByteIsASignOfLifeAndNoByteIsNone) {
    LinkPair pair;
    pair.log_in();
    const Bytes part = framed(Ping{1});
    const auto heard = start + Seconds(20);
    ASSERT_TRUE(pair.server.receive(BytesView(part).first(1), heard, pair.at_server));
    ASSERT_TRUE(pair.server.receive({}, heard + Seconds(5), pair.at_server));
    EXPECT_TRUE(pair.server.tick(heard + Seconds(30) - nanoseconds(1)));
    EXPECT_FALSE(pair.server.tick(heard + Seconds(30)));
}

TEST(Heartbeat, TheFirstPingGoesOutAtOnceAndThenOneAnInterval) {
    LinkPair pair;
    pair.log_in();
    for (ControlLink* link : {&pair.server, &pair.client}) {
        EXPECT_LE(link->deadline(), start);
        ASSERT_TRUE(link->tick(start));
        (void)only_ping(*link);
        EXPECT_EQ(link->deadline(), start + Seconds(10));
        ASSERT_TRUE(link->tick(start + Seconds(10) - nanoseconds(1)));
        EXPECT_TRUE(sent_messages(*link).empty());
        ASSERT_TRUE(link->tick(start + Seconds(10)));
        (void)only_ping(*link);
        EXPECT_EQ(link->deadline(), start + Seconds(20));
        ASSERT_TRUE(link->tick(start + Seconds(20)));
        (void)only_ping(*link);
        EXPECT_EQ(link->deadline(), start + Seconds(30));
        EXPECT_FALSE(link->tick(start + Seconds(30)));
    }
}

TEST(Heartbeat, SilenceBetweenTwoPingsEndsInTime) {
    LinkPair pair({Millis(10'000), Millis(25'000)});
    pair.log_in();
    for (const auto ping : {Seconds(0), Seconds(10), Seconds(20)})
        ASSERT_TRUE(pair.client.tick(start + ping));
    EXPECT_EQ(pair.client.deadline(), start + Seconds(25));
    EXPECT_FALSE(pair.client.tick(pair.client.deadline()));
}

TEST(Heartbeat, PingsAreAnsweredWithTheirNonceAndNotDelivered) {
    LinkPair pair;
    pair.log_in();
    ASSERT_TRUE(pair.server.receive(framed(Ping{0xfeedfacecafebeef}), start, pair.at_server));
    EXPECT_TRUE(pair.at_server.empty());
    EXPECT_EQ(sent_messages(pair.server), std::vector<ControlMessage>{Pong{0xfeedfacecafebeef}});
    ASSERT_TRUE(pair.client.receive(framed(Ping{0}), start, pair.at_client));
    EXPECT_TRUE(pair.at_client.empty());
    EXPECT_EQ(sent_messages(pair.client), std::vector<ControlMessage>{Pong{0}});
}

TEST(Heartbeat, TheRoundTripIsThatOfTheLatestAnsweredPing) {
    LinkPair pair;
    pair.log_in();
    EXPECT_FALSE(pair.client.round_trip());
    ASSERT_TRUE(pair.client.tick(pair.now));
    ASSERT_TRUE(pair.to_server());
    EXPECT_FALSE(pair.client.round_trip());
    pair.now += microseconds(37'500);
    ASSERT_TRUE(pair.to_client());
    EXPECT_EQ(pair.client.round_trip(), microseconds(37'500));
    EXPECT_FALSE(pair.server.round_trip());

    pair.now = start + Seconds(10);
    ASSERT_TRUE(pair.client.tick(pair.now));
    ASSERT_TRUE(pair.to_server());
    EXPECT_EQ(pair.client.round_trip(), microseconds(37'500));
    pair.now += microseconds(120);
    ASSERT_TRUE(pair.to_client());
    EXPECT_EQ(pair.client.round_trip(), microseconds(120));
}

TEST(Heartbeat, ARoundTripLongerThanTheIntervalIsMeasuredFromTheFirstPing) {
    LinkPair pair;
    pair.log_in();
    ASSERT_TRUE(pair.client.tick(start));
    const auto nonce = only_ping(pair.client);
    ASSERT_TRUE(pair.client.tick(start + Seconds(10)));
    EXPECT_EQ(only_ping(pair.client), nonce);
    for (const auto heard : {Seconds(12), Seconds(22)})
        ASSERT_TRUE(pair.client.receive(framed(Pong{nonce}), start + heard, pair.at_client));
    EXPECT_EQ(pair.client.round_trip(), Seconds(12));
    ASSERT_TRUE(pair.client.tick(start + Seconds(22)));
    EXPECT_NE(only_ping(pair.client), nonce);
}

TEST(Heartbeat, APongThatAnswersNoPingMeasuresNothing) {
    LinkPair pair;
    pair.log_in();
    for (const std::uint64_t nonce : {0ULL, 1ULL, 77ULL})
        ASSERT_TRUE(pair.client.receive(framed(Pong{nonce}), start + Seconds(1), pair.at_client));
    EXPECT_FALSE(pair.client.round_trip());
    ASSERT_TRUE(pair.client.tick(start + Seconds(2)));
    const auto nonce = only_ping(pair.client);
    ASSERT_TRUE(pair.client.receive(framed(Pong{nonce + 1}), start + Seconds(2), pair.at_client));
    EXPECT_FALSE(pair.client.round_trip());
}

TEST(Heartbeat, ASecondAnswerToOnePingMeasuresNothing) {
    LinkPair pair;
    pair.log_in();
    ASSERT_TRUE(pair.client.tick(start));
    const auto nonce = only_ping(pair.client);
    ASSERT_TRUE(pair.client.receive(framed(Pong{nonce}), start + Millis(5), pair.at_client));
    ASSERT_TRUE(pair.client.receive(framed(Pong{nonce}), start + Seconds(7), pair.at_client));
    EXPECT_EQ(pair.client.round_trip(), microseconds(5000));
    EXPECT_TRUE(pair.at_client.empty());
}

TEST(Heartbeat, NewTimesApplyAtOnce) {
    LinkPair pair;
    pair.log_in();
    ASSERT_TRUE(pair.client.tick(start));
    (void)only_ping(pair.client);
    pair.client.set_times({Millis(1000), Millis(4000)}, start + Millis(500));
    EXPECT_EQ(pair.client.deadline(), start + Millis(1500));
    ASSERT_TRUE(pair.client.tick(start + Millis(1500)));
    (void)only_ping(pair.client);
    EXPECT_EQ(pair.client.deadline(), start + Millis(2500));
    EXPECT_TRUE(pair.client.tick(start + Millis(4000) - nanoseconds(1)));
    EXPECT_FALSE(pair.client.tick(start + Millis(4000)));
}

TEST(Heartbeat, LongerTimesLeaveThePlannedPing) {
    LinkPair pair;
    pair.log_in();
    ASSERT_TRUE(pair.client.tick(start));
    (void)only_ping(pair.client);
    pair.client.set_times({Millis(60'000), Millis(180'000)}, start + Seconds(1));
    EXPECT_EQ(pair.client.deadline(), start + Seconds(10));
    ASSERT_TRUE(pair.client.tick(start + Seconds(10)));
    EXPECT_EQ(pair.client.deadline(), start + Seconds(70));
}

// What a driver stands on: time that passes never moves the deadline back, a tick at the deadline moves it
// forward or ends the link, and a tick before it does nothing.
TEST(Heartbeat, TheDeadlineOnlyMovesForward) {
    SeededRandom random;
    for (int round = 0; round < 100; ++round) {
        LinkPair pair;
        pair.log_in();
        auto& link = pair.client;
        ASSERT_TRUE(link.tick(start));
        (void)link.take_output();
        auto latest = link.deadline();
        for (int step = 0; step < 100; ++step) {
            const auto room = std::chrono::duration_cast<Millis>(latest - pair.now).count();
            ASSERT_GE(room, 0);
            pair.now += Millis(random.below(static_cast<std::size_t>(room) + 1));
            if (random.below(4) == 0) {
                ASSERT_TRUE(link.receive(framed(Ping{1}), pair.now, pair.at_client));
            }
            (void)link.take_output();
            ASSERT_GE(link.deadline(), latest);
            latest = link.deadline();
            if (pair.now < latest) {
                ASSERT_TRUE(link.tick(pair.now));
                ASSERT_TRUE(link.take_output().empty());
                continue;
            }
            if (!link.tick(pair.now)) break;
            (void)only_ping(link);
            ASSERT_GT(link.deadline(), pair.now);
            latest = link.deadline();
        }
    }
}

// Two drivers that do nothing but what deadline() asks for.
TEST(Heartbeat, TwoIdleEndsKeepEachOtherAliveUntilOneDies) {
    LinkPair pair;
    pair.log_in();
    for (int wake_up = 0; wake_up < 1000; ++wake_up) {
        pair.now = std::max(pair.now, std::min(pair.server.deadline(), pair.client.deadline()));
        ASSERT_TRUE(pair.server.tick(pair.now));
        ASSERT_TRUE(pair.client.tick(pair.now));
        ASSERT_TRUE(pair.to_server());
        ASSERT_TRUE(pair.to_client());
        ASSERT_TRUE(pair.to_server());
    }
    EXPECT_GT(pair.now, start + std::chrono::hours(1));
    const auto died = pair.now;
    Status status;
    for (int wake_up = 0; wake_up < 10 && status; ++wake_up) {
        pair.now = pair.server.deadline();
        status = pair.server.tick(pair.now);
    }
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code, Errc::timeout);
    EXPECT_EQ(pair.now, died + Seconds(30));
}

}  // namespace
}  // namespace tunnel::wire
