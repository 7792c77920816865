// The beginning of an unencrypted stream: what its sender wraps is what its reader gets, however it is cut.

#include "common/wire/chunk.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/common/wire/seeded_random.hpp"

namespace tunnel::wire {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Bytes wrapped(ChunkWriter& writer, BytesView bytes) {
    Bytes out;
    append(out, writer.header(bytes.size()));
    append(out, bytes);
    return out;
}

struct Got {
    Bytes payload;
    Bytes after;
};
// In pieces of at most `most` bytes.
Got read_all(ChunkReader& reader, Bytes bytes, std::size_t most) {
    Got got;
    for (std::size_t at = 0; at < bytes.size();) {
        const auto size = std::min(most, bytes.size() - at);
        const auto piece = MutableBytes(bytes).subspan(at, size);
        const auto read = reader.read(piece);
        EXPECT_TRUE(read) << (read ? "" : read.error().message);
        if (!read) break;
        append(got.payload, piece.first(read->payload));
        append(got.after, piece.last(read->after));
        at += size;
    }
    return got;
}

TEST(Chunk, ItsBytesAreFixed) {
    ChunkWriter writer;
    EXPECT_THAT(writer.header(1), ElementsAre(0, 1));
    EXPECT_THAT(writer.header(0x0203), ElementsAre(2, 3));
    EXPECT_THAT(ChunkWriter::end, ElementsAre(0, 0));
    EXPECT_FALSE(writer.as_is());
    EXPECT_THAT(writer.header(ChunkWriter::bulk), ElementsAre(0xff, 0xff));
    EXPECT_TRUE(writer.as_is());
}

TEST(Chunk, AFewMessagesAndTheEnd) {
    for (const std::size_t most : {1, 2, 3, 1000}) {
        ChunkWriter writer;
        auto bytes = wrapped(writer, view_of("one "));
        append(bytes, wrapped(writer, view_of("two")));
        append(bytes, ChunkWriter::end);
        append(bytes, view_of("TNLD"));
        ChunkReader reader;
        const auto got = read_all(reader, bytes, most);
        EXPECT_EQ(text_of(got.payload), "one two") << most;
        EXPECT_EQ(text_of(got.after), "TNLD") << most;
        EXPECT_TRUE(reader.ended());
        EXPECT_FALSE(reader.as_is());
    }
}

TEST(Chunk, WhoGoesOnLeavesThemBehind) {
    ChunkWriter writer;
    Bytes bytes;
    Bytes expected;
    for (std::size_t i = 0; !writer.as_is(); ++i) {
        ASSERT_LE(i, ChunkWriter::most_chunks);
        const Bytes message(1 + i, static_cast<Byte>(i));
        append(bytes, wrapped(writer, message));
        append(expected, message);
    }
    // What looks like an end is the stream's from here on.
    append(bytes, Bytes(10));
    append(expected, Bytes(10));
    for (const std::size_t most : {1, 7, 1000}) {
        ChunkReader reader;
        const auto got = read_all(reader, bytes, most);
        EXPECT_EQ(got.payload, expected);
        EXPECT_TRUE(got.after.empty());
        EXPECT_TRUE(reader.as_is());
        EXPECT_FALSE(reader.ended());
    }
}

TEST(Chunk, ASizeThatNobodySendsIsRefused) {
    Bytes bytes{0x80, 0x00, 'x'};
    ChunkReader reader;
    const auto read = reader.read(bytes);
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().code, Errc::protocol);
    EXPECT_THAT(read.error().message, HasSubstr("32768"));
}

TEST(Chunk, RandomMessagesCutAnywhereArriveUnaltered) {
    SeededRandom random;
    for (int round = 0; round < 200; ++round) {
        ChunkWriter writer;
        Bytes bytes;
        Bytes expected;
        for (std::size_t left = random.below(30); left > 0; --left) {
            const auto message = random.bytes(1 + random.below(random.below(10) == 0 ? 40'000 : 300));
            append(bytes, writer.as_is() ? message : wrapped(writer, message));
            append(expected, message);
        }
        const bool as_is = writer.as_is();
        if (!as_is) append(bytes, ChunkWriter::end);
        ChunkReader reader;
        const auto got = read_all(reader, bytes, 1 + random.below(5000));
        ASSERT_TRUE(got.payload == expected);
        ASSERT_EQ(reader.ended(), !as_is);
    }
}

}  // namespace
}  // namespace tunnel::wire
