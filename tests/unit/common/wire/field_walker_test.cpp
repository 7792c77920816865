#include "common/wire/field_walker.hpp"

#include <gtest/gtest.h>

#include "tests/unit/common/wire/seeded_random.hpp"

namespace tunnel::wire {
namespace {

using Seen = std::vector<std::pair<std::uint64_t, std::string>>;

Seen walk(BytesView bytes) {
    Seen out;
    for (FieldWalker walker(bytes); const auto field = walker.next();)
        out.emplace_back(field->number, std::string(text_of(field->content)));
    return out;
}

TEST(FieldWalker, EveryWireTypeIsSteppedOver) {
    const Bytes bytes{
        0x08, 0x96, 0x01,                         // 1: varint 150
        0x11, 1,    2,    3,    4,   5, 6, 7, 8,  // 2: fixed64
        0x1a, 0x03, 'a',  'b',  'c',              // 3: text
        0x25, 1,    2,    3,    4,                // 4: fixed32
        0x2b, 0x2c,                               // 5: an empty group
        0xa2, 0x06, 0x01, 'x',                    // 100: text
        0xaa, 0x86, 0x00, 0x00,                   // 101 spelled longer than needed: empty text
    };
    EXPECT_EQ(walk(bytes),
              (Seen{{1, ""}, {2, ""}, {3, "abc"}, {4, ""}, {5, ""}, {5, ""}, {100, "x"}, {101, ""}}));
}

TEST(FieldWalker, MalformedBytesEndTheWalk) {
    EXPECT_EQ(walk({}), Seen{});
    EXPECT_EQ(walk(Bytes{0x80}), Seen{});                       // a tag that does not end
    EXPECT_EQ(walk(Bytes(20, 0xff)), Seen{});                   // a tag longer than any number
    EXPECT_EQ(walk(Bytes{0x0f, 0x0a, 0x00}), Seen{});           // wire type 7
    EXPECT_EQ(walk(Bytes{0x08, 0xff}), Seen{});                 // a number that does not end
    EXPECT_EQ(walk(Bytes{0x0a, 0x02, 'a'}), (Seen{{1, "a"}}));  // text cut short: the parser reads it too
    EXPECT_EQ(walk(Bytes{0x09, 0x02, 'a'}), (Seen{{1, ""}}));   // a fixed64 cut short
}

TEST(FieldWalker, AnyBytesEndTheWalkAndStayInside) {
    SeededRandom random;
    for (int round = 0; round < 20'000; ++round) {
        const auto bytes = random.bytes(random.below(40));
        std::size_t fields = 0;
        for (FieldWalker walker(bytes); const auto field = walker.next();) {
            ++fields;
            if (field->content.empty()) continue;
            ASSERT_GE(field->content.data(), bytes.data());
            ASSERT_LE(field->content.data() + field->content.size(), bytes.data() + bytes.size());
        }
        ASSERT_LE(fields, bytes.size());
    }
}

}  // namespace
}  // namespace tunnel::wire
