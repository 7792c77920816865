#include "common/wire/preface.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/common/wire/seeded_random.hpp"

namespace tunnel::wire {
namespace {

Preface sample() {
    Preface preface{SessionId{0x0102030405060708}, TicketNumber{0x1112131415161718}, {}};
    for (std::size_t i = 0; i < nonce_size; ++i) preface.nonce[i] = static_cast<Byte>(0xa0 + i);
    return preface;
}

PrefaceBytes whole(const Preface& preface, Byte mac = 0) {
    PrefaceBytes out;
    out.fill(mac);
    const auto head = encode_preface(preface);
    std::copy(head.begin(), head.end(), out.begin());
    return out;
}

TEST(Preface, EveryByteOfTheLayoutIsPinned) {
    const Bytes expected{
        'T',  'N',  'L',  'D',                           // magic
        1,                                               // version
        0,                                               // flags
        0,    0,                                         // reserved
        0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08,  // session
        0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18,  // ticket
        0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7,  // nonce
        0xa8, 0xa9, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf,
    };
    const auto bytes = encode_preface(sample());
    EXPECT_EQ(Bytes(bytes.begin(), bytes.end()), expected);
    auto with_records = sample();
    with_records.needs_records = true;
    EXPECT_EQ(encode_preface(with_records)[5], 1);
}

TEST(Preface, SizesAreThoseOfTheWire) {
    EXPECT_EQ(preface_signed_size, 40U);
    EXPECT_EQ(preface_mac_size, 16U);
    EXPECT_EQ(preface_size, 56U);
    EXPECT_EQ(encode_preface({})[0], preface_first_byte);
    EXPECT_NE(preface_first_byte, tls_first_byte);
}

TEST(Preface, RoundTrip) {
    SeededRandom random;
    for (int round = 0; round < 1000; ++round) {
        Preface preface{SessionId{random.number()}, TicketNumber{random.number()}, {}, random.coin()};
        const auto nonce = random.bytes(nonce_size);
        std::copy(nonce.begin(), nonce.end(), preface.nonce.begin());
        const auto decoded = decode_preface(whole(preface, static_cast<Byte>(random.number())));
        ASSERT_TRUE(decoded);
        EXPECT_EQ(*decoded, preface);
    }
}

TEST(Preface, TheMacIsNoPartOfWhatIsDecoded) {
    const auto one = decode_preface(whole(sample(), 0x00));
    const auto other = decode_preface(whole(sample(), 0xff));
    ASSERT_TRUE(one && other);
    EXPECT_EQ(*one, *other);
}

TEST(Preface, EveryByteOfTheMagicCounts) {
    for (std::size_t i = 0; i < 4; ++i) {
        auto bytes = whole(sample());
        bytes[i] ^= 0x01;
        const auto decoded = decode_preface(bytes);
        ASSERT_FALSE(decoded) << i;
        EXPECT_EQ(decoded.error().code, Errc::protocol);
    }
}

TEST(Preface, AnotherVersionSaysWhichEndToUpgrade) {
    auto bytes = whole(sample());
    bytes[4] = 2;
    auto error = decode_preface(bytes).error();
    EXPECT_EQ(error.code, Errc::version);
    EXPECT_NE(error.message.find("version 2"), std::string::npos) << error.message;
    EXPECT_NE(error.message.find("upgrade tunnel-server"), std::string::npos) << error.message;
    bytes[4] = 0;
    error = decode_preface(bytes).error();
    EXPECT_EQ(error.code, Errc::version);
    EXPECT_NE(error.message.find("upgrade tunnel-client"), std::string::npos) << error.message;
}

TEST(Preface, EveryReservedBitIsRefused) {
    for (std::size_t at = 5; at < 8; ++at) {
        for (int bit = 0; bit < 8; ++bit) {
            auto bytes = whole(sample());
            if (at == 5 && bit == 0) continue;  // needs_records
            bytes[at] = static_cast<Byte>(1U << bit);
            const auto decoded = decode_preface(bytes);
            ASSERT_FALSE(decoded) << at << " bit " << bit;
            EXPECT_EQ(decoded.error().code, Errc::protocol);
        }
    }
}

}  // namespace
}  // namespace tunnel::wire
