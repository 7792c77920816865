#include "common/net/datagram/packet_link.hpp"

#include <gtest/gtest.h>

#include <deque>
#include <functional>

#include "tests/unit/common/wire/seeded_random.hpp"

namespace tunnel::net {
namespace {

using wire::FrameKind;

tls::DirectionKeys keys_of(Byte fill) {
    return tls::DirectionKeys(Cipher::aes_128_gcm, Bytes(20, fill));
}

struct Got {
    FrameKind kind;
    std::uint32_t flow;
    Bytes payload;
    bool operator==(const Got&) const = default;
};

struct Sink final : FrameSink {
    void on_frame(const wire::DatagramFrame& frame) override {
        got.push_back({frame.kind, frame.flow, Bytes(frame.payload.begin(), frame.payload.end())});
    }
    void on_batch_end() override {}
    std::vector<Got> got;
};

// Both ends and the path between them, in steps of 10 ms.
struct Way {
    TimePoint now{Seconds(1000)};
    tls::AeadFactory factory = tls::AeadFactory::best();
    tls::DirectionKeys to_client = keys_of(1);
    tls::DirectionKeys to_server = keys_of(2);
    PacketLink server{factory, {to_client, to_server}, 7, PacketLink::Role::answers, now};
    PacketLink client{factory, {to_server, to_client}, 7, PacketLink::Role::knocks, now};
    Sink at_server;
    Sink at_client;
    std::size_t mtu = 65'507;
    // Decides over each packet; all pass without it.
    std::function<bool()> passes;
    bool server_knows_address = false;
    std::size_t packets = 0;
    std::size_t largest = 0;
    std::size_t pings_seen = 0;

    void carry(PacketLink& from, PacketLink& to, Sink& sink) {
        auto& batch = from.seal();
        std::size_t at = 0;
        for (const auto size : batch.sizes) {
            Bytes packet(batch.bytes.begin() + static_cast<std::ptrdiff_t>(at),
                         batch.bytes.begin() + static_cast<std::ptrdiff_t>(at + size));
            at += size;
            ++packets;
            if (size > mtu || (passes && !passes())) continue;
            largest = std::max<std::size_t>(largest, size);
            if (to.receive(packet, sink, now) == PacketLink::Heard::nothing)
                ADD_FAILURE() << "a genuine packet was not taken";
            to.release();
        }
        batch.clear();
    }
    void step() {
        client.tick(now);
        carry(client, server, at_server);
        server.tick(now);
        carry(server, client, at_client);
        now += Millis(10);
    }
    void run(Clock::duration duration) {
        for (const auto end = now + duration; now < end;) step();
    }
};

TEST(PacketLink, IsUsableAtBothEndsAfterTheFirstKnock) {
    Way way;
    EXPECT_FALSE(way.client.usable());
    EXPECT_FALSE(way.server.usable());
    way.run(Millis(300));
    EXPECT_TRUE(way.client.usable());
    EXPECT_TRUE(way.server.usable());
}

TEST(PacketLink, FramesOfAllSizesArriveWhole) {
    wire::SeededRandom random;
    for (const std::size_t mtu : {1200U, 1472U, 65'507U}) {
        Way way;
        way.mtu = mtu;
        way.run(Seconds(2));
        std::vector<Got> sent;
        for (const std::size_t size : {0U, 1U, 500U, 1100U, 1161U, 1200U, 1472U, 8000U, 65'507U}) {
            sent.push_back({FrameKind::datagram, 9, random.bytes(size)});
            ASSERT_TRUE(way.client.queue({FrameKind::datagram, 9, sent.back().payload})) << size;
        }
        sent.push_back({FrameKind::first, 10, random.bytes(65'507 + 18)});
        ASSERT_TRUE(way.client.queue({FrameKind::first, 10, sent.back().payload}));
        sent.push_back({FrameKind::closed, 11, {1}});
        ASSERT_TRUE(way.client.queue({FrameKind::closed, 11, sent.back().payload}));
        way.step();
        EXPECT_EQ(way.at_server.got, sent) << mtu;
        EXPECT_LE(way.largest, mtu);
    }
}

TEST(PacketLink, SmallFramesShareAPacket) {
    Way way;
    way.run(Millis(300));
    way.packets = 0;
    for (int i = 0; i < 10; ++i) ASSERT_TRUE(way.server.queue({FrameKind::datagram, 1, Bytes(50)}));
    way.carry(way.server, way.client, way.at_client);
    EXPECT_EQ(way.packets, 1U);
    EXPECT_EQ(way.at_client.got.size(), 10U);
}

TEST(PacketLink, FindsTheMtuOfThePath) {
    Way way;
    way.mtu = 1472;
    way.run(Seconds(1));
    EXPECT_EQ(way.client.packet_size(), 1472U);
    EXPECT_EQ(way.server.packet_size(), 1472U);
}

TEST(PacketLink, ALostPacketDelaysNobody) {
    Way way;
    way.run(Seconds(1));
    bool lose = true;
    way.passes = [&] { return !lose; };
    ASSERT_TRUE(way.client.queue({FrameKind::datagram, 1, view_of("lost")}));
    way.carry(way.client, way.server, way.at_server);
    lose = false;
    ASSERT_TRUE(way.client.queue({FrameKind::datagram, 2, view_of("arrives")}));
    way.carry(way.client, way.server, way.at_server);
    ASSERT_EQ(way.at_server.got.size(), 1U);
    EXPECT_EQ(way.at_server.got[0].flow, 2U);
}

TEST(PacketLink, AWayThatGoesDeadIsNoticedAndTakenAgainWhenItIsBack) {
    Way way;
    way.run(Seconds(1));
    bool open = false;
    way.passes = [&] { return open; };
    for (int i = 0; i < 500 && way.server.usable(); ++i) {
        (void)way.client.queue({FrameKind::datagram, 1, view_of("x")});
        (void)way.server.queue({FrameKind::datagram, 1, view_of("x")});
        way.step();
    }
    EXPECT_FALSE(way.server.usable());
    way.run(Millis(500));
    EXPECT_FALSE(way.client.usable());
    way.run(Seconds(60));
    EXPECT_FALSE(way.client.usable());
    open = true;
    way.run(Seconds(6));
    EXPECT_TRUE(way.client.usable());
    EXPECT_TRUE(way.server.usable());
}

TEST(PacketLink, OneInTenLostDoesNotMakeItUseless) {
    wire::SeededRandom random;
    Way way;
    way.passes = [&] { return random.below(10) != 0; };
    way.run(Seconds(3));
    ASSERT_TRUE(way.client.usable());
    for (int i = 0; i < 12'000; ++i) {
        (void)way.client.queue({FrameKind::datagram, 1, view_of("x")});
        way.step();
        ASSERT_TRUE(way.client.usable() && way.server.usable()) << "seed " << random.seed();
    }
}

TEST(PacketLink, AnIdleWayIsKeptAliveWithFewPackets) {
    Way way;
    way.run(Seconds(60));
    way.packets = 0;
    way.run(Seconds(60));
    EXPECT_TRUE(way.client.usable());
    EXPECT_TRUE(way.server.usable());
    EXPECT_GE(way.packets, 6U);
    EXPECT_LE(way.packets, 12U);
    // What comes from the server after a long silence still finds its way.
    ASSERT_TRUE(way.server.queue({FrameKind::datagram, 1, view_of("x")}));
    way.step();
    EXPECT_EQ(way.at_client.got.size(), 1U);
}

TEST(PacketLink, ReplayedAndForgedPacketsAreCountedAndHandNothingOver) {
    Way way;
    way.run(Seconds(1));
    ASSERT_TRUE(way.client.queue({FrameKind::datagram, 1, view_of("once")}));
    const auto packet = way.client.seal().bytes;
    way.client.seal().clear();
    auto copy = packet;
    EXPECT_EQ(way.server.receive(copy, way.at_server, way.now), PacketLink::Heard::something_newer);
    copy = packet;
    EXPECT_EQ(way.server.receive(copy, way.at_server, way.now), PacketLink::Heard::nothing);
    copy = packet;
    copy.back() ^= 1;
    copy[15] ^= 0x40;
    EXPECT_EQ(way.server.receive(copy, way.at_server, way.now), PacketLink::Heard::nothing);
    EXPECT_EQ(way.at_server.got.size(), 1U);
    EXPECT_EQ(way.server.counters().replayed, 1U);
    EXPECT_EQ(way.server.counters().forged, 1U);
}

TEST(PacketLink, AnOlderPacketDoesNotMoveTheAddress) {
    Way way;
    way.run(Seconds(1));
    ASSERT_TRUE(way.client.queue({FrameKind::datagram, 1, view_of("old")}));
    auto old = way.client.seal().bytes;
    way.client.seal().clear();
    ASSERT_TRUE(way.client.queue({FrameKind::datagram, 1, view_of("new")}));
    way.carry(way.client, way.server, way.at_server);
    EXPECT_EQ(way.server.receive(old, way.at_server, way.now), PacketLink::Heard::something);
}

TEST(PacketLink, WhatIsQueuedIsBounded) {
    Way way;
    way.run(Seconds(1));
    const Bytes datagram(60'000);
    std::size_t taken = 0;
    while (taken < 1000 && way.client.queue({FrameKind::datagram, 1, datagram})) ++taken;
    EXPECT_LT(taken, 40U);
    EXPECT_EQ(way.client.counters().dropped, 1U);
    EXPECT_LE(way.client.seal().bytes.size(), PacketLink::most_queued + 2 * PacketLink::largest_packet);
}

}  // namespace
}  // namespace tunnel::net
