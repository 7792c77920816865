#include "common/wire/reassembly.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/common/wire/seeded_random.hpp"

namespace tunnel::wire {
namespace {

const TimePoint start{Seconds(1000)};

std::vector<Bytes> fragments_of(const Bytes& datagram, std::uint32_t id, std::uint16_t piece,
                                FrameKind kind = FrameKind::datagram) {
    std::vector<Bytes> out;
    FragmentHeader header{id, kind, static_cast<std::uint16_t>(datagram.size()), piece, 0};
    for (; header.index < header.count(); ++header.index) {
        Bytes fragment(fragment_header_size);
        put_fragment_header(fragment, header);
        append(fragment, BytesView(datagram).subspan(header.offset(), header.size()));
        out.push_back(std::move(fragment));
    }
    return out;
}

TEST(Reassembly, HeaderLayout) {
    Bytes out(fragment_header_size);
    put_fragment_header(out, {0x01020304, FrameKind::first, 0x2345, 0x0456, 7});
    EXPECT_EQ(hex_encode(out), "01020304022345045607");
}

TEST(Reassembly, FragmentsInAnyOrderMakeTheDatagram) {
    SeededRandom random;
    Reassembly reassembly;
    for (int round = 0; round < 100; ++round) {
        const auto piece = static_cast<std::uint16_t>(least_piece + random.below(8000));
        const auto datagram = random.bytes(piece + 1 + random.below(max_datagram - piece));
        auto fragments = fragments_of(datagram, static_cast<std::uint32_t>(round), piece);
        for (std::size_t i = fragments.size(); i > 1; --i)
            std::swap(fragments[i - 1], fragments[random.below(i)]);
        for (std::size_t i = 0; i < fragments.size(); ++i) {
            auto whole = reassembly.add(5, fragments[i], start);
            ASSERT_EQ(whole.has_value(), i + 1 == fragments.size());
            ASSERT_TRUE(!whole || (whole->payload == datagram && whole->kind == FrameKind::datagram));
        }
    }
    EXPECT_EQ(reassembly.held(), 0U);
    EXPECT_EQ(reassembly.lost(), 0U);
}

TEST(Reassembly, FlowsAndNumbersDoNotMix) {
    Reassembly reassembly;
    const Bytes a(3000, 'a');
    const Bytes b(3000, 'b');
    const auto of_a = fragments_of(a, 1, 2000);
    const auto of_b = fragments_of(b, 1, 2000);
    const auto again = fragments_of(b, 2, 2000, FrameKind::first);
    EXPECT_FALSE(reassembly.add(1, of_a[0], start));
    EXPECT_FALSE(reassembly.add(2, of_b[0], start));
    EXPECT_FALSE(reassembly.add(1, again[0], start));
    EXPECT_EQ(reassembly.add(2, of_b[1], start)->payload, b);
    EXPECT_EQ(reassembly.add(1, of_a[1], start)->payload, a);
    const auto first = reassembly.add(1, again[1], start);
    ASSERT_TRUE(first);
    EXPECT_EQ(first->kind, FrameKind::first);
}

TEST(Reassembly, AFragmentThatCameTwiceCountsOnce) {
    Reassembly reassembly;
    const auto fragments = fragments_of(Bytes(3000, 'x'), 1, 2000);
    EXPECT_FALSE(reassembly.add(1, fragments[0], start));
    EXPECT_FALSE(reassembly.add(1, fragments[0], start));
    EXPECT_TRUE(reassembly.add(1, fragments[1], start));
}

TEST(Reassembly, WhatContradictsEarlierFragmentsIsLeftOut) {
    Reassembly reassembly;
    const auto fragments = fragments_of(Bytes(5000, 'x'), 1, 2000);
    const auto other_total = fragments_of(Bytes(5001, 'y'), 1, 2000);
    EXPECT_FALSE(reassembly.add(1, fragments[0], start));
    EXPECT_FALSE(reassembly.add(1, other_total[1], start));
    EXPECT_FALSE(reassembly.add(1, fragments[1], start));
    const auto whole = reassembly.add(1, fragments[2], start);
    ASSERT_TRUE(whole);
    EXPECT_EQ(whole->payload, Bytes(5000, 'x'));
}

TEST(Reassembly, MalformedFragmentsTakeNoMemory) {
    Reassembly reassembly;
    const auto good = fragments_of(Bytes(3000, 'x'), 1, 2000);
    EXPECT_FALSE(decode_fragment(BytesView(good[0]).first(fragment_header_size)));
    const auto altered = [&](FragmentHeader header) {
        auto bad = good[0];
        put_fragment_header(bad, header);
        EXPECT_FALSE(decode_fragment(bad));
        EXPECT_FALSE(reassembly.add(1, bad, start));
    };
    altered({1, FrameKind::datagram, 3000, 1000, 0});    // pieces too small
    altered({1, FrameKind::datagram, 2000, 2000, 0});    // nothing to put together
    altered({1, FrameKind::datagram, 3000, 2000, 2});    // beyond the end
    altered({1, FrameKind::datagram, 3000, 2001, 0});    // not as long as a piece
    altered({1, FrameKind::datagram, 3000, 2000, 1});    // longer than the last
    altered({1, FrameKind::closed, 3000, 2000, 0});      // of a kind that is never cut
    altered({1, FrameKind::datagram, 65'508, 2000, 0});  // larger than any datagram
    EXPECT_EQ(reassembly.held(), 0U);
}

TEST(Reassembly, MemoryIsBoundedAndTheOldestGoesFirst) {
    Reassembly reassembly(10'000);
    std::vector<std::vector<Bytes>> sent;
    for (std::uint32_t id = 0; id < 4; ++id) {
        sent.push_back(fragments_of(Bytes(3000, static_cast<Byte>(id)), id, 2000));
        EXPECT_FALSE(reassembly.add(1, sent.back()[0], start));
        EXPECT_LE(reassembly.held(), 10'000U);
    }
    EXPECT_EQ(reassembly.lost(), 1U);
    EXPECT_TRUE(reassembly.add(1, sent[3][1], start));
    EXPECT_FALSE(reassembly.add(1, sent[0][1], start));
}

TEST(Reassembly, WhatIsIncompleteForTooLongIsForgotten) {
    Reassembly reassembly;
    const auto fragments = fragments_of(Bytes(3000, 'x'), 1, 2000);
    EXPECT_FALSE(reassembly.add(1, fragments[0], start));
    reassembly.expire(start + Reassembly::patience);
    EXPECT_EQ(reassembly.held(), 3000U);
    EXPECT_FALSE(reassembly.add(1, fragments[1], start + Reassembly::patience + Millis(1)));
    EXPECT_EQ(reassembly.lost(), 1U);
}

}  // namespace
}  // namespace tunnel::wire
