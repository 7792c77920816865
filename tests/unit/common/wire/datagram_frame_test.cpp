#include "common/wire/datagram_frame.hpp"

#include <gtest/gtest.h>

#include "tests/unit/common/wire/allocation_meter.hpp"
#include "tests/unit/common/wire/seeded_random.hpp"

namespace tunnel::wire {
namespace {

struct Got {
    FrameKind kind;
    std::uint32_t flow;
    Bytes payload;
    bool operator==(const Got&) const = default;
};

Status read_into(DatagramReader& reader, BytesView bytes, std::vector<Got>& out) {
    return reader.read(bytes, [&out](const DatagramFrame& frame) {
        out.push_back({frame.kind, frame.flow, Bytes(frame.payload.begin(), frame.payload.end())});
    });
}

Bytes frame_bytes(FrameKind kind, std::uint32_t flow, BytesView payload) {
    Bytes out;
    append_frame(out, {kind, flow, payload});
    return out;
}

TEST(DatagramFrame, LayoutIsKindFlowLengthPayload) {
    EXPECT_EQ(frame_bytes(FrameKind::datagram, 0x01020304, view_of("ab")),
              (Bytes{1, 1, 2, 3, 4, 0, 2, 'a', 'b'}));
    EXPECT_EQ(frame_bytes(FrameKind::closed, 7, Bytes{1}), (Bytes{3, 0, 0, 0, 7, 0, 1, 1}));
}

TEST(DatagramFrame, AVisitorsAddressIsSixteenBytesAndAPort) {
    const VisitorAddress visitor{*parse_ip("203.0.113.7"), 50312};
    const auto bytes = encode(visitor);
    EXPECT_EQ(hex_encode(bytes), "00000000000000000000ffffcb007107c488");
    EXPECT_EQ(decode_visitor_address(bytes), visitor);
}

TEST(DatagramFrame, EmptyAndLargestDatagramsKeepTheirBoundaries) {
    Bytes stream = frame_bytes(FrameKind::datagram, 1, {});
    const Bytes largest(max_datagram, 0x5a);
    append_frame(stream, {FrameKind::datagram, 2, largest});
    append_frame(stream, {FrameKind::datagram, 3, view_of("x")});
    DatagramReader reader;
    std::vector<Got> got;
    ASSERT_TRUE(read_into(reader, stream, got));
    ASSERT_EQ(got.size(), 3U);
    EXPECT_EQ(got[0], (Got{FrameKind::datagram, 1, {}}));
    EXPECT_EQ(got[1], (Got{FrameKind::datagram, 2, largest}));
    EXPECT_EQ(got[2], (Got{FrameKind::datagram, 3, {'x'}}));
    EXPECT_EQ(reader.held(), 0U);
}

TEST(DatagramFrame, AnyChunkingGivesTheSameFrames) {
    SeededRandom random;
    for (int round = 0; round < 200; ++round) {
        Bytes stream;
        std::vector<Got> sent;
        for (std::size_t i = 1 + random.below(20); i > 0; --i) {
            const auto size = random.below(10) == 0 ? random.below(max_datagram + 1) : random.below(60);
            const bool first = random.coin();
            auto payload = random.bytes(first ? size + visitor_address_size : size);
            sent.push_back({first ? FrameKind::first : FrameKind::datagram,
                            static_cast<std::uint32_t>(random.number()), std::move(payload)});
            append_frame(stream, {sent.back().kind, sent.back().flow, sent.back().payload});
        }
        DatagramReader reader;
        std::vector<Got> got;
        const std::size_t largest = 1 + random.below(random.coin() ? 9 : 20'000);
        for (BytesView rest(stream); !rest.empty();) {
            const auto size = std::min(rest.size(), random.below(largest + 1));
            ASSERT_TRUE(read_into(reader, rest.first(size), got));
            ASSERT_LE(reader.held(), max_frame_payload + datagram_header_size);
            rest = rest.subspan(size);
        }
        ASSERT_EQ(got, sent) << "round " << round;
        ASSERT_EQ(reader.held(), 0U);
    }
}

// The error of a stream that begins with this header, of which no byte is missing but the payload's.
std::string refusal(Byte kind, std::uint16_t size) {
    Bytes header{kind, 0, 0, 0, 1, 0, 0};
    put_be16(MutableBytes(header).subspan(5, 2), size);
    DatagramReader reader;
    std::vector<Got> got;
    AllocationMeter meter;
    const auto ok = read_into(reader, header, got);
    EXPECT_LT(meter.peak(), 1024U);
    EXPECT_TRUE(got.empty());
    if (ok) return "";
    EXPECT_EQ(ok.error().code, Errc::protocol);
    return ok.error().message;
}

TEST(DatagramFrame, WhatIsNoFrameIsRefusedFromTheHeaderAlone) {
    EXPECT_NE(refusal(1, 65'508), "");
    EXPECT_EQ(refusal(1, 65'507), "");
    EXPECT_NE(refusal(2, 17), "");
    EXPECT_NE(refusal(2, 65'526), "");
    EXPECT_NE(refusal(3, 0), "");
    EXPECT_NE(refusal(3, 2), "");
    EXPECT_NE(refusal(7, 1), "");
    EXPECT_NE(refusal(255, 1).find("255"), std::string::npos);
}

TEST(DatagramFrame, WhatTravelsInPacketsDoesNotTravelInAStream) {
    for (const auto kind : {FrameKind::padding, FrameKind::fragment, FrameKind::ping, FrameKind::pong}) {
        const std::size_t size = kind == FrameKind::fragment ? 20 : kind == FrameKind::pong ? 2 : 0;
        DatagramReader reader;
        std::vector<Got> got;
        EXPECT_FALSE(read_into(reader, frame_bytes(kind, 1, Bytes(size)), got)) << static_cast<int>(kind);
        EXPECT_TRUE(got.empty());
    }
}

TEST(DatagramFrame, TheFrameBeforeTheWrongOneStillComesOut) {
    Bytes stream = frame_bytes(FrameKind::datagram, 9, view_of("good"));
    append(stream, Bytes{99, 0, 0, 0, 0, 0, 0});
    DatagramReader reader;
    std::vector<Got> got;
    EXPECT_FALSE(read_into(reader, stream, got));
    ASSERT_EQ(got.size(), 1U);
    EXPECT_EQ(text_of(got[0].payload), "good");
}

}  // namespace
}  // namespace tunnel::wire
