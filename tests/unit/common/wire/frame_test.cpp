#include "common/wire/frame.hpp"

#include <gtest/gtest.h>

#include "tests/unit/common/wire/allocation_meter.hpp"
#include "tests/unit/common/wire/seeded_random.hpp"

namespace tunnel::wire {
namespace {

constexpr std::size_t limit = 1000;

// Every whole frame that is there; fails the test on an error.
std::vector<Bytes> drain(FrameReader& reader) {
    std::vector<Bytes> out;
    for (;;) {
        auto frame = reader.next();
        if (!frame) {
            ADD_FAILURE() << frame.error().message;
            return out;
        }
        if (!*frame) return out;
        out.push_back(std::move(**frame));
    }
}

Bytes header_for(std::uint32_t size) {
    Bytes header(frame_header_size);
    put_be32(header, size);
    return header;
}

TEST(Frame, LayoutIsABigEndianLengthAndThePayload) {
    Bytes out{0xaa};
    append_frame(out, view_of("abc"));
    EXPECT_EQ(out, (Bytes{0xaa, 0, 0, 0, 3, 'a', 'b', 'c'}));
}

TEST(Frame, LongLengthsUseAllFourBytes) {
    Bytes out;
    append_frame(out, Bytes(0x012345));
    EXPECT_EQ(Bytes(out.begin(), out.begin() + 4), (Bytes{0x00, 0x01, 0x23, 0x45}));
    EXPECT_EQ(out.size(), 4U + 0x012345U);
}

TEST(Frame, NothingComesOutOfNothing) {
    FrameReader reader(limit);
    EXPECT_TRUE(drain(reader).empty());
    reader.feed({});
    EXPECT_TRUE(drain(reader).empty());
}

TEST(Frame, AnIncompleteHeaderOrPayloadIsWaitedFor) {
    Bytes stream;
    append_frame(stream, view_of("hello"));
    for (std::size_t cut = 0; cut < stream.size(); ++cut) {
        FrameReader reader(limit);
        reader.feed(BytesView(stream).first(cut));
        EXPECT_TRUE(drain(reader).empty()) << cut;
        reader.feed(BytesView(stream).subspan(cut));
        const auto frames = drain(reader);
        ASSERT_EQ(frames.size(), 1U) << cut;
        EXPECT_EQ(text_of(frames[0]), "hello");
    }
}

TEST(Frame, EmptyFramesAreFrames) {
    Bytes stream;
    append_frame(stream, {});
    append_frame(stream, view_of("x"));
    append_frame(stream, {});
    FrameReader reader(limit);
    reader.feed(stream);
    EXPECT_EQ(drain(reader), (std::vector<Bytes>{{}, {'x'}, {}}));
}

TEST(Frame, AnyChunkingGivesTheSameFrames) {
    SeededRandom random;
    for (int round = 0; round < 200; ++round) {
        std::vector<Bytes> sent(1 + random.below(20));
        Bytes stream;
        for (auto& payload : sent) {
            payload = random.bytes(random.coin() ? random.below(8) : random.below(limit + 1));
            append_frame(stream, payload);
        }
        FrameReader reader(limit);
        std::vector<Bytes> received;
        const std::size_t largest = 1 + random.below(random.coin() ? 6 : 3000);
        for (BytesView rest(stream); !rest.empty();) {
            const auto size = std::min(rest.size(), random.below(largest + 1));
            reader.feed(rest.first(size));
            rest = rest.subspan(size);
            // Not draining after each feed must not matter either.
            if (random.coin()) continue;
            for (auto& frame : drain(reader)) received.push_back(std::move(frame));
        }
        for (auto& frame : drain(reader)) received.push_back(std::move(frame));
        ASSERT_EQ(received, sent) << "round " << round;
    }
}

TEST(Frame, TheLimitItselfIsAllowed) {
    Bytes stream;
    append_frame(stream, Bytes(limit, 7));
    FrameReader reader(limit);
    reader.feed(stream);
    const auto frames = drain(reader);
    ASSERT_EQ(frames.size(), 1U);
    EXPECT_EQ(frames[0], Bytes(limit, 7));
}

TEST(Frame, OneByteBeyondTheLimitIsRefusedFromTheHeaderAlone) {
    FrameReader reader(limit);
    reader.feed(header_for(limit + 1));
    const auto frame = reader.next();
    ASSERT_FALSE(frame);
    EXPECT_EQ(frame.error().code, Errc::limit);
    EXPECT_NE(frame.error().message.find("1001"), std::string::npos) << frame.error().message;
    EXPECT_NE(frame.error().message.find("1000"), std::string::npos) << frame.error().message;
}

TEST(Frame, TheLargestLengthAllocatesNothing) {
    FrameReader reader(limit);
    const auto header = header_for(0xffffffff);
    AllocationMeter meter;
    reader.feed(header);
    const auto frame = reader.next();
    const auto peak = meter.peak();
    ASSERT_FALSE(frame);
    EXPECT_EQ(frame.error().code, Errc::limit);
    EXPECT_LT(peak, 1024U);
}

TEST(Frame, FramesBeforeTheOneTooLongStillComeOut) {
    Bytes stream;
    append_frame(stream, view_of("first"));
    append(stream, header_for(limit + 1));
    FrameReader reader(limit);
    reader.feed(stream);
    const auto first = reader.next();
    ASSERT_TRUE(first && *first);
    EXPECT_EQ(text_of(**first), "first");
    EXPECT_FALSE(reader.next());
}

TEST(Frame, TheLimitCanGrowBetweenFrames) {
    Bytes stream;
    append_frame(stream, view_of("x"));
    append_frame(stream, Bytes(limit + 1));
    FrameReader reader(limit);
    reader.feed(stream);
    ASSERT_TRUE(reader.next());
    reader.set_limit(limit + 1);
    const auto frame = reader.next();
    ASSERT_TRUE(frame && *frame);
    EXPECT_EQ((*frame)->size(), limit + 1);
}

// A peer chooses how its bytes are cut. Whatever it does, the reader holds one incomplete frame and not more.
void expect_bounded_memory(std::size_t cut_after_header_bytes) {
    Bytes frame;
    append_frame(frame, Bytes(100, 'x'));
    FrameReader reader(limit);
    AllocationMeter meter;
    reader.feed(BytesView(frame).first(cut_after_header_bytes));
    Bytes rest(frame.begin() + static_cast<std::ptrdiff_t>(cut_after_header_bytes), frame.end());
    append(rest, BytesView(frame).first(cut_after_header_bytes));
    for (int i = 0; i < 10'000; ++i) {
        ASSERT_TRUE(*reader.next() == std::nullopt);
        reader.feed(rest);
        ASSERT_TRUE((*reader.next()).has_value());
    }
    EXPECT_LT(meter.peak(), 4 * limit) << "feeds end " << cut_after_header_bytes << " bytes into a frame";
}

TEST(Frame, MemoryIsBoundedHoweverTheStreamIsCut) {
    for (const std::size_t cut : {0U, 1U, 3U, 4U, 5U, 103U}) expect_bounded_memory(cut);
}

}  // namespace
}  // namespace tunnel::wire
