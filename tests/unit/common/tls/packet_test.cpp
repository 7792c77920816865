#include "common/tls/packet.hpp"

#include <gtest/gtest.h>

#include "tests/unit/common/tls/both_backends.hpp"
#include "tests/unit/common/tls/test_bytes.hpp"

namespace tunnel::tls {
namespace {

using test::counting;
using test::from_hex;
using Verdict = PacketOpener::Verdict;

DirectionKeys keys(Byte last_of_salt = 0xa3) {
    auto bytes = counting(16);
    append(bytes, Bytes{0xa0, 0xa1, 0xa2, last_of_salt});
    return DirectionKeys(Cipher::aes_128_gcm, bytes);
}
constexpr std::uint32_t path = 0x01020304;

Bytes sealed(PacketSealer& sealer, BytesView plaintext) {
    Bytes packet(packet_overhead + plaintext.size());
    std::copy(plaintext.begin(), plaintext.end(), packet.begin() + packet_header_size);
    EXPECT_TRUE(sealer.seal(packet));
    return packet;
}

class PacketTest : public testing::TestWithParam<AeadBackend> {
  protected:
    void SetUp() override {
        if (!AeadFactory::of(GetParam())) GTEST_SKIP() << to_string(GetParam()) << " is not in this build";
    }
    AeadFactory factory() { return *AeadFactory::of(GetParam()); }
};

// Computed with Python's cryptography from the header's words.
TEST_P(PacketTest, FixedVectors) {
    PacketSealer sealer(factory(), keys(), path);
    EXPECT_EQ(hex_encode(sealed(sealer, view_of("a datagram"))),
              "01000000010203040000000000000000eb7daafc33ee531d32ab70e137b27462f0c27789f7ed95e8f8b5");
    EXPECT_EQ(hex_encode(sealed(sealer, view_of("a datagram"))),
              "010000000102030400000000000000012751789318e51022e6013efe68140c4a77a121f5c2686d9fd996");
}

TEST_P(PacketTest, OpensInAnyOrderAndOnce) {
    PacketSealer sealer(factory(), keys(), path);
    PacketOpener opener(factory(), keys());
    std::vector<Bytes> packets;
    for (Byte i = 0; i < 10; ++i) packets.push_back(sealed(sealer, Bytes(i, i)));
    for (const std::size_t i : {3U, 0U, 9U, 1U, 8U, 2U, 4U, 5U, 6U, 7U}) {
        auto once = packets[i];
        const auto opened = opener.open(once);
        ASSERT_EQ(opened.verdict, Verdict::opened) << i;
        EXPECT_EQ(Bytes(opened.plaintext.begin(), opened.plaintext.end()), Bytes(i, static_cast<Byte>(i)));
        EXPECT_EQ(opened.newest, i == 3 || i == 9);
        auto twice = packets[i];
        EXPECT_EQ(opener.open(twice).verdict, Verdict::replayed);
    }
}

TEST_P(PacketTest, EveryBitIsCovered) {
    PacketSealer sealer(factory(), keys(), path);
    const auto packet = sealed(sealer, counting(40));
    for (std::size_t bit = 0; bit < packet.size() * 8; ++bit) {
        auto altered = packet;
        altered[bit / 8] = static_cast<Byte>(altered[bit / 8] ^ (1U << (bit % 8)));
        PacketOpener opener(factory(), keys());
        EXPECT_EQ(opener.open(altered).verdict, Verdict::forged) << bit;
        // Whoever sends forgeries does not take a packet's place.
        auto genuine = packet;
        EXPECT_EQ(opener.open(genuine).verdict, Verdict::opened);
    }
}

TEST_P(PacketTest, OtherKeysOpenNothing) {
    PacketSealer sealer(factory(), keys(), path);
    PacketOpener opener(factory(), keys(0xa2));
    auto packet = sealed(sealer, view_of("x"));
    EXPECT_EQ(opener.open(packet).verdict, Verdict::forged);
}

TEST_P(PacketTest, AKeyIsUsedUpAfterItsLimit) {
    PacketSealer sealer(factory(), keys(), path, 2);
    EXPECT_FALSE(sealer.used_up());
    (void)sealed(sealer, view_of("1"));
    (void)sealed(sealer, view_of("2"));
    EXPECT_TRUE(sealer.used_up());
    Bytes packet(packet_overhead + 1);
    EXPECT_FALSE(sealer.seal(packet));
    PacketSealer large(factory(), keys(), path, 3);
    (void)sealed(large, Bytes(3 * counted_packet_size));
    EXPECT_TRUE(large.used_up());
}

INSTANTIATE_TEST_SUITE_P(Backends, PacketTest, test::both_backends(), test::backend_name);

TEST(Packet, NamesItsPath) {
    Bytes packet(packet_overhead);
    packet[0] = packet_version;
    put_be32(MutableBytes(packet).subspan(4, 4), path);
    EXPECT_EQ(packet_path(packet), path);
    EXPECT_EQ(packet_path(BytesView(packet).first(packet_overhead - 1)), std::nullopt);
    EXPECT_EQ(packet_path({}), std::nullopt);
    for (std::size_t i = 0; i < 4; ++i) {
        auto other = packet;
        other[i] ^= 0x10;
        EXPECT_EQ(packet_path(other), std::nullopt) << i;
    }
}

}  // namespace
}  // namespace tunnel::tls
