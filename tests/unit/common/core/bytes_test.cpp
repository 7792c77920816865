#include "common/core/bytes.hpp"

#include <gmock/gmock.h>

#include <array>
#include <random>

namespace tunnel {
namespace {

TEST(BigEndian, PutsTheMostSignificantByteFirst) {
    std::array<Byte, 8> out{};
    put_be16(MutableBytes(out).first(2), 0x1234);
    EXPECT_THAT(Bytes(out.begin(), out.begin() + 2), testing::ElementsAre(0x12, 0x34));
    put_be32(MutableBytes(out).first(4), 0xdeadbeef);
    EXPECT_THAT(Bytes(out.begin(), out.begin() + 4), testing::ElementsAre(0xde, 0xad, 0xbe, 0xef));
    put_be64(out, 0x0102030405060708);
    EXPECT_THAT(out, testing::ElementsAre(1, 2, 3, 4, 5, 6, 7, 8));
}

TEST(BigEndian, GetsBackWhatWasPut) {
    std::array<Byte, 8> out{};
    put_be16(MutableBytes(out).first(2), 0xfffe);
    EXPECT_EQ(get_be16(BytesView(out).first(2)), 0xfffe);
    put_be32(MutableBytes(out).first(4), 0x80000001);
    EXPECT_EQ(get_be32(BytesView(out).first(4)), 0x80000001);
    put_be64(out, 0x8000000000000001);
    EXPECT_EQ(get_be64(out), 0x8000000000000001);
}

TEST(Base64url, MatchesTheVectorsOfRfc4648) {
    const std::pair<std::string_view, std::string_view> vectors[] = {
        {"", ""},           {"f", "Zg"},          {"fo", "Zm8"},          {"foo", "Zm9v"},
        {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"},
    };
    for (const auto& [plain, encoded] : vectors) {
        EXPECT_EQ(base64url_encode(view_of(plain)), encoded);
        Bytes decoded;
        ASSERT_TRUE(base64url_decode(encoded, decoded)) << encoded;
        EXPECT_EQ(text_of(decoded), plain);
    }
    EXPECT_EQ(base64url_encode(Bytes{0xfb, 0xff, 0xbf}), "-_-_");
}

TEST(Base64url, RandomBytesGoRoundTrip) {
    const auto seed = std::random_device{}();
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    std::mt19937 random(seed);
    for (std::size_t size = 0; size < 70; ++size) {
        Bytes bytes(size);
        for (auto& byte : bytes) byte = static_cast<Byte>(random());
        Bytes decoded{1, 2, 3};
        ASSERT_TRUE(base64url_decode(base64url_encode(bytes), decoded));
        EXPECT_EQ(decoded, bytes);
    }
}

TEST(Base64url, OneValueHasOneSpelling) {
    Bytes out;
    EXPECT_FALSE(base64url_decode("Zh", out)) << "non-zero trailing bits of one byte";
    EXPECT_FALSE(base64url_decode("Zm9", out)) << "non-zero trailing bits of two bytes";
    EXPECT_FALSE(base64url_decode("Zg==", out)) << "padding";
    EXPECT_FALSE(base64url_decode("Z", out)) << "an impossible length";
    EXPECT_FALSE(base64url_decode("Zm9vZ", out)) << "an impossible length";
    EXPECT_FALSE(base64url_decode("Zm+v", out)) << "the other alphabet";
    EXPECT_FALSE(base64url_decode("Zm/v", out)) << "the other alphabet";
    EXPECT_FALSE(base64url_decode("Zm v", out));
    EXPECT_FALSE(base64url_decode("Zm9v\n", out));
    EXPECT_FALSE(base64url_decode("Zm\xc3\xa9", out));
}

TEST(Hex, IsLowerCaseAndTwoDigitsAByte) {
    EXPECT_EQ(hex_encode(Bytes{0x00, 0x0f, 0xa5, 0xff}), "000fa5ff");
    EXPECT_EQ(hex_encode({}), "");
}

TEST(Append, KeepsTheOrder) {
    Bytes bytes{1};
    append(bytes, Bytes{2, 3});
    append(bytes, {});
    EXPECT_THAT(bytes, testing::ElementsAre(1, 2, 3));
}

}  // namespace
}  // namespace tunnel
