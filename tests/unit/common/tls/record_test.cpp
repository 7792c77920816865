#include "common/tls/record.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/common/tls/both_backends.hpp"
#include "tests/unit/common/tls/test_bytes.hpp"

namespace tunnel::tls {
namespace {

using test::counting;

Bytes fixed_key_and_iv(Cipher cipher) {
    Bytes bytes = counting(aead_key_size(cipher));
    append(bytes, counting(iv_size(cipher), 0xf0));
    return bytes;
}

class RecordTest : public testing::TestWithParam<test::Kind> {
  protected:
    void SetUp() override {
        if (!GetParam().available()) GTEST_SKIP() << "this build has no " << GetParam();
    }
    static Cipher cipher() { return GetParam().cipher; }
    static std::size_t overhead() { return record_overhead_of(cipher()); }
    static DirectionKeys fixed_keys() { return {cipher(), fixed_key_and_iv(cipher())}; }
    RecordSealer sealer(std::uint64_t limit = default_record_limit) {
        return {GetParam().factory(), fixed_keys(), limit};
    }
    RecordOpener opener(std::uint64_t limit = default_record_limit) {
        return {GetParam().factory(), fixed_keys(), limit};
    }
};

Bytes seal(RecordSealer& sealer, BytesView plaintext) {
    Bytes out(plaintext.size() + record_overhead);
    const auto size = sealer.seal(RecordType::application_data, plaintext, out);
    EXPECT_TRUE(size);
    out.resize(size.value_or(0));
    return out;
}

Result<Bytes> open(RecordOpener& opener, BytesView record) {
    Bytes out(record.size());
    const auto opened = opener.open(record, out);
    if (!opened) return pass(opened.error());
    out.resize(opened->size);
    return out;
}

Errc code_of(const Result<Bytes>& result) {
    EXPECT_FALSE(result.has_value());
    return result ? Errc::internal : result.error().code;
}

// Computed with Python's cryptography from RFC 5246, 5288 and 7905. A change here makes two releases unable
// to talk.
struct Vectors {
    const char* hello;
    const char* empty;
    const char* close_notify;
};
constexpr Vectors aes_vectors{
    "170303002500000000000000002f29e55c576dc59d35f7ebf8f46e7ec2d50f35951678478bfb8a70a663",
    "17030300180000000000000001f5d0b3afbde7a49f77648b6a85a8542e",
    "150303001a0000000000000002fe6cb432f63201747839c3d22fdd4d7f1654"};
constexpr Vectors chacha_vectors{"170303001da82952aae884fea32a90f598eb3d4fa705ac290f5598106b755568d4e2",
                                 "17030300102e028204a180f36029d3f83cbfe24b59",
                                 "1503030012804c2588945b3404d80d76094efed63901d8"};

TEST_P(RecordTest, FixedVectors) {
    const auto& expected = cipher() == Cipher::aes_128_gcm ? aes_vectors : chacha_vectors;
    auto sealing = sealer();
    EXPECT_EQ(hex_encode(seal(sealing, view_of("hello, tunnel"))), expected.hello);
    EXPECT_EQ(hex_encode(seal(sealing, {})), expected.empty);
    Bytes out(RecordSealer::close_notify_size);
    out.resize(sealing.close_notify(out).value_or(0));
    EXPECT_EQ(hex_encode(out), expected.close_notify);
    EXPECT_EQ(sealing.sequence(), 3u);
}

TEST_P(RecordTest, RoundTripsOfRandomSizes) {
    test::Random random;
    auto sealing = sealer();
    auto opening = opener();
    for (int i = 0; i < 300; ++i) {
        const std::size_t size = i == 0 ? max_record_plaintext : random.between(0, i % 3 == 0 ? 16384 : 300);
        const Bytes plaintext = random.bytes(size);
        const Bytes record = seal(sealing, plaintext);
        EXPECT_EQ(RecordOpener::record_size(BytesView(record).first(record_header_size)).value_or(0),
                  record.size());
        const auto opened = open(opening, record);
        ASSERT_TRUE(opened) << opened.error().message;
        EXPECT_EQ(*opened, plaintext);
    }
    EXPECT_EQ(sealing.sequence(), opening.sequence());
}

TEST_P(RecordTest, SealManyCutsIntoFullRecords) {
    test::Random random;
    auto sealing = sealer();
    auto opening = opener();
    for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{16384}, std::size_t{16385},
                                   std::size_t{32768}, random.between(32769, 200000)}) {
        const Bytes plaintext = random.bytes(size);
        Bytes sealed(sealed_size(size));
        const auto written = sealing.seal_many(plaintext, sealed);
        ASSERT_TRUE(written);
        EXPECT_EQ(*written, size + (size + max_record_plaintext - 1) / max_record_plaintext * overhead());
        sealed.resize(*written);
        Bytes opened;
        for (BytesView left = sealed; !left.empty();) {
            const std::size_t next = *RecordOpener::record_size(left.first(record_header_size));
            append(opened, *open(opening, left.first(next)));
            left = left.subspan(next);
        }
        EXPECT_EQ(opened, plaintext);
    }
    Bytes small(sealed_size(20000) - 1);
    EXPECT_EQ(sealing.seal_many(Bytes(20000), small).error().code, Errc::invalid);
}

TEST_P(RecordTest, PlaintextMayStandInItsPlace) {
    auto sealing = sealer();
    auto opening = opener();
    const Bytes plaintext = counting(200);
    Bytes buffer(plaintext.size() + record_overhead);
    const std::size_t place = record_header_size + explicit_nonce_size(cipher());
    buffer.resize(plaintext.size() + overhead());
    std::ranges::copy(plaintext, MutableBytes(buffer).subspan(place).begin());
    ASSERT_TRUE(sealing.seal(RecordType::application_data, BytesView(buffer).subspan(place, 200), buffer));
    const auto opened = opening.open(buffer, MutableBytes(buffer).subspan(place));
    ASSERT_TRUE(opened);
    EXPECT_TRUE(std::ranges::equal(plaintext, BytesView(buffer).subspan(place, plaintext.size())));
}

TEST_P(RecordTest, EveryAlteredByteIsNoticedAndFinal) {
    auto sealing = sealer();
    const Bytes record = seal(sealing, counting(64));
    const Bytes next = seal(sealing, view_of("next"));
    for (std::size_t i = 0; i < record.size(); ++i)
        for (const Byte flip : {Byte{0x01}, Byte{0x80}}) {
            auto opening = opener();
            Bytes altered = record;
            altered[i] ^= flip;
            EXPECT_EQ(code_of(open(opening, altered)), Errc::protocol) << i;
            EXPECT_EQ(code_of(open(opening, record)), Errc::protocol) << "the stream cannot be trusted again";
            EXPECT_EQ(code_of(open(opening, next)), Errc::protocol);
        }
}

TEST_P(RecordTest, CutOrExtendedRecordsFail) {
    auto sealing = sealer();
    const Bytes record = seal(sealing, counting(40));
    for (std::size_t size = 0; size < record.size(); ++size) {
        auto opening = opener();
        EXPECT_EQ(code_of(open(opening, BytesView(record).first(size))), Errc::protocol) << size;
    }
    auto opening = opener();
    Bytes extended = record;
    extended.push_back(0);
    EXPECT_EQ(code_of(open(opening, extended)), Errc::protocol);
}

TEST_P(RecordTest, ReplayReorderAndLossFail) {
    auto sealing = sealer();
    const Bytes first = seal(sealing, view_of("one"));
    const Bytes second = seal(sealing, view_of("two"));
    auto replayed = opener();
    ASSERT_TRUE(open(replayed, first));
    EXPECT_EQ(code_of(open(replayed, first)), Errc::protocol);
    auto reordered = opener();
    EXPECT_EQ(code_of(open(reordered, second)), Errc::protocol);
    // A record dressed up with the number that is due is caught by its tag.
    Bytes renumbered = second;
    std::copy_n(first.begin() + 5, 8, renumbered.begin() + 5);
    auto fooled = opener();
    EXPECT_EQ(code_of(open(fooled, renumbered)), Errc::protocol);
}

TEST_P(RecordTest, RecordsOfAnotherKeyFail) {
    auto sealing = sealer();
    const Bytes record = seal(sealing, view_of("one"));
    const Bytes right = fixed_key_and_iv(cipher());
    for (std::size_t i = 0; i < right.size(); ++i) {
        Bytes wrong = right;
        wrong[i] ^= 1;
        RecordOpener other(GetParam().factory(), DirectionKeys(cipher(), wrong));
        EXPECT_EQ(code_of(open(other, record)), Errc::protocol) << i;
    }
}

TEST_P(RecordTest, CloseNotifyEndsTheDirection) {
    auto sealing = sealer();
    auto opening = opener();
    Bytes closing(RecordSealer::close_notify_size);
    const auto size = sealing.close_notify(closing);
    ASSERT_TRUE(size);
    closing.resize(*size);
    Bytes out(100);
    const auto opened = opening.open(closing, out);
    ASSERT_TRUE(opened) << opened.error().message;
    EXPECT_TRUE(opened->closed);
    EXPECT_EQ(opened->type, RecordType::alert);
    EXPECT_EQ(opened->size, 0u);
    EXPECT_EQ(sealing.seal(RecordType::application_data, view_of("x"), out).error().code, Errc::closed);
    EXPECT_EQ(sealing.seal_many(view_of("x"), out).error().code, Errc::closed);
    // A peer that goes on after it.
    auto going_on = sealer();
    (void)seal(going_on, {});
    EXPECT_EQ(code_of(open(opening, seal(going_on, view_of("x")))), Errc::protocol);
}

TEST_P(RecordTest, OtherAlertsAreErrors) {
    auto sealing = sealer();
    auto opening = opener();
    Bytes alert(overhead() + 2);
    ASSERT_TRUE(sealing.seal(RecordType::alert, Bytes{2, 20}, alert));
    EXPECT_EQ(code_of(open(opening, alert)), Errc::protocol);
}

TEST_P(RecordTest, AKeyServesItsRecordsAndNoMore) {
    auto sealing = sealer(3);
    auto opening = opener(2);
    Bytes out(sealed_size(3 * max_record_plaintext + 1));
    EXPECT_EQ(sealing.seal_many(Bytes(3 * max_record_plaintext + 1), out).error().code, Errc::limit);
    EXPECT_EQ(sealing.sequence(), 0u) << "nothing was sealed of what does not fit whole";
    const Bytes first = seal(sealing, view_of("1"));
    const Bytes second = seal(sealing, view_of("2"));
    const Bytes third = seal(sealing, view_of("3"));
    EXPECT_EQ(sealing.seal(RecordType::application_data, view_of("4"), out).error().code, Errc::limit);
    EXPECT_EQ(sealing.close_notify(out).error().code, Errc::limit);
    ASSERT_TRUE(open(opening, first));
    ASSERT_TRUE(open(opening, second));
    EXPECT_EQ(code_of(open(opening, third)), Errc::limit);
}

TEST_P(RecordTest, TheCallersMistakesChangeNothing) {
    auto sealing = sealer();
    auto opening = opener();
    Bytes small(overhead() + 9);
    EXPECT_EQ(sealing.seal(RecordType::application_data, Bytes(10), small).error().code, Errc::invalid);
    Bytes large(20000);
    EXPECT_EQ(sealing.seal(RecordType::application_data, Bytes(16385), large).error().code, Errc::invalid);
    EXPECT_EQ(sealing.sequence(), 0u);
    const Bytes record = seal(sealing, counting(10));
    Bytes nine(9);
    EXPECT_EQ(opening.open(record, nine).error().code, Errc::invalid);
    EXPECT_TRUE(open(opening, record));
}

// The other end may have been built on the other library.
TEST_P(RecordTest, WhatOneLibrarySealsTheOtherOpens) {
    const test::Kind other{
        GetParam().backend == AeadBackend::mbedtls ? AeadBackend::libcrypto : AeadBackend::mbedtls, cipher()};
    if (!other.available()) GTEST_SKIP() << "this build has no " << other;
    auto sealing = sealer();
    RecordOpener opening(other.factory(), fixed_keys());
    for (const std::size_t size : {0, 1, 500, 16384}) {
        const auto opened = open(opening, seal(sealing, counting(size)));
        ASSERT_TRUE(opened) << opened.error().message;
        EXPECT_EQ(*opened, counting(size));
    }
}

// Its records are of the right shape, and not genuine.
TEST_P(RecordTest, AnotherCiphersRecordsFail) {
    const auto other = cipher() == Cipher::aes_128_gcm ? Cipher::chacha20_poly1305 : Cipher::aes_128_gcm;
    RecordSealer sealing(GetParam().factory(), DirectionKeys(other, fixed_key_and_iv(other)));
    for (const std::size_t size : {0, 1, 3, 500, 16384}) {
        auto opening = opener();
        EXPECT_EQ(code_of(open(opening, seal(sealing, counting(size)))), Errc::protocol) << size;
    }
}

INSTANTIATE_TEST_SUITE_P(Kinds, RecordTest, test::every_kind(), test::kind_name);

TEST(RecordSize, AcceptsOnlyWhatTheCodecMakes) {
    const auto size = [](Bytes header) { return RecordOpener::record_size(header); };
    EXPECT_EQ(size({23, 3, 3, 0, 16}).value_or(0), least_record_overhead);
    EXPECT_EQ(size({23, 3, 3, 0, 24}).value_or(0), record_overhead);
    EXPECT_EQ(size({23, 3, 3, 0x40, 24}).value_or(0), max_record_size);
    EXPECT_EQ(size({21, 3, 3, 0, 26}).value_or(0), RecordSealer::close_notify_size);
    for (const Bytes& header :
         {Bytes{23, 3, 3, 0, 15}, Bytes{23, 3, 3, 0x40, 25}, Bytes{23, 3, 3, 0xff, 0xff},
          Bytes{21, 3, 3, 0, 17}, Bytes{21, 3, 3, 0, 27}, Bytes{22, 3, 3, 0, 40}, Bytes{20, 3, 3, 0, 40},
          Bytes{23, 3, 1, 0, 40}, Bytes{23, 2, 3, 0, 40}, Bytes{0, 0, 0, 0, 0},
          Bytes{'G', 'E', 'T', ' ', '/'}}) {
        const auto result = size(header);
        ASSERT_FALSE(result) << hex_encode(header);
        EXPECT_EQ(result.error().code, Errc::protocol) << hex_encode(header);
    }
    EXPECT_EQ(size({23, 3, 3, 0}).error().code, Errc::invalid);
}

}  // namespace
}  // namespace tunnel::tls
