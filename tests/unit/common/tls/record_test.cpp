#include "common/tls/record.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/common/tls/both_backends.hpp"
#include "tests/unit/common/tls/test_bytes.hpp"

namespace tunnel::tls {
namespace {

using test::counting;

DirectionKeys fixed_keys() {
    DirectionKeys keys;
    for (std::size_t i = 0; i < keys.key.size(); ++i) keys.key[i] = static_cast<Byte>(i);
    keys.salt = {0xf0, 0xf1, 0xf2, 0xf3};
    return keys;
}

class RecordTest : public testing::TestWithParam<AeadBackend> {
  protected:
    void SetUp() override {
        if (!AeadFactory::of(GetParam())) GTEST_SKIP() << to_string(GetParam()) << " is not in this build";
    }
    RecordSealer sealer(std::uint64_t limit = default_record_limit) {
        return {*AeadFactory::of(GetParam()), fixed_keys(), limit};
    }
    RecordOpener opener(std::uint64_t limit = default_record_limit) {
        return {*AeadFactory::of(GetParam()), fixed_keys(), limit};
    }
};

Bytes seal(RecordSealer& sealer, BytesView plaintext) {
    Bytes out(plaintext.size() + record_overhead);
    const auto size = sealer.seal(RecordType::application_data, plaintext, out);
    EXPECT_TRUE(size && *size == out.size());
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

// Computed with Python's cryptography from RFC 5246 and 5288. A change here makes two releases unable to
// talk.
TEST_P(RecordTest, FixedVectors) {
    auto sealing = sealer();
    EXPECT_EQ(hex_encode(seal(sealing, view_of("hello, tunnel"))),
              "170303002500000000000000002f29e55c576dc59d35f7ebf8f46e7ec2d50f35951678478bfb8a70a663");
    EXPECT_EQ(hex_encode(seal(sealing, {})), "17030300180000000000000001f5d0b3afbde7a49f77648b6a85a8542e");
    Bytes out(RecordSealer::close_notify_size);
    EXPECT_EQ(sealing.close_notify(out).value_or(0), out.size());
    EXPECT_EQ(hex_encode(out), "150303001a0000000000000002fe6cb432f63201747839c3d22fdd4d7f1654");
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
        ASSERT_EQ(sealing.seal_many(plaintext, sealed).value_or(sealed.size() + 1), sealed.size());
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
    constexpr std::size_t place = 13;
    std::copy(plaintext.begin(), plaintext.end(), buffer.begin() + place);
    ASSERT_TRUE(sealing.seal(RecordType::application_data, BytesView(buffer).subspan(place, 200), buffer));
    const auto opened = opening.open(buffer, MutableBytes(buffer).subspan(place));
    ASSERT_TRUE(opened);
    EXPECT_TRUE(std::equal(plaintext.begin(), plaintext.end(), buffer.begin() + place));
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
    DirectionKeys other_key = fixed_keys();
    other_key.key[15] ^= 1;
    DirectionKeys other_salt = fixed_keys();
    other_salt.salt[0] ^= 1;
    RecordOpener a(*AeadFactory::of(GetParam()), other_key);
    RecordOpener b(*AeadFactory::of(GetParam()), other_salt);
    EXPECT_EQ(code_of(open(a, record)), Errc::protocol);
    EXPECT_EQ(code_of(open(b, record)), Errc::protocol);
}

TEST_P(RecordTest, CloseNotifyEndsTheDirection) {
    auto sealing = sealer();
    auto opening = opener();
    Bytes closing(RecordSealer::close_notify_size);
    ASSERT_TRUE(sealing.close_notify(closing));
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
    Bytes alert(record_overhead + 2);
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
    Bytes small(record_overhead + 9);
    EXPECT_EQ(sealing.seal(RecordType::application_data, Bytes(10), small).error().code, Errc::invalid);
    Bytes large(20000);
    EXPECT_EQ(sealing.seal(RecordType::application_data, Bytes(16385), large).error().code, Errc::invalid);
    EXPECT_EQ(sealing.sequence(), 0u);
    const Bytes record = seal(sealing, counting(10));
    Bytes nine(9);
    EXPECT_EQ(opening.open(record, nine).error().code, Errc::invalid);
    EXPECT_TRUE(open(opening, record));
}

INSTANTIATE_TEST_SUITE_P(Backends, RecordTest, test::both_backends(), test::backend_name);

TEST(RecordSize, AcceptsOnlyWhatTheCodecMakes) {
    const auto size = [](Bytes header) { return RecordOpener::record_size(header); };
    EXPECT_EQ(size({23, 3, 3, 0, 24}).value_or(0), record_overhead);
    EXPECT_EQ(size({23, 3, 3, 0x40, 24}).value_or(0), max_record_size);
    EXPECT_EQ(size({21, 3, 3, 0, 26}).value_or(0), RecordSealer::close_notify_size);
    for (const Bytes& header :
         {Bytes{23, 3, 3, 0, 23}, Bytes{23, 3, 3, 0x40, 25}, Bytes{23, 3, 3, 0xff, 0xff},
          Bytes{21, 3, 3, 0, 24}, Bytes{21, 3, 3, 0, 27}, Bytes{22, 3, 3, 0, 40}, Bytes{20, 3, 3, 0, 40},
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
