#include "common/tls/hash.hpp"

#include <gtest/gtest.h>

#include <stdexcept>

#include "tests/unit/common/tls/both_backends.hpp"
#include "tests/unit/common/tls/test_bytes.hpp"

namespace tunnel::tls {
namespace {

using test::counting;
using test::from_hex;

TEST(Sha256, KnownDigests) {
    // FIPS 180-2, appendix B.
    EXPECT_EQ(hex_encode(sha256(view_of("abc"))),
              "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    EXPECT_EQ(hex_encode(sha256(BytesView())),
              "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    EXPECT_EQ(sha256({view_of("a"), view_of(""), view_of("bc")}), sha256(view_of("abc")));
}

// HMAC is mbedTLS's until libcrypto is loaded, which lasts for the process: ctest runs each test in its own.
class OnBothBackends : public testing::TestWithParam<AeadBackend> {
  protected:
    void SetUp() override {
        if (GetParam() == AeadBackend::libcrypto && !AeadFactory::of(AeadBackend::libcrypto))
            GTEST_SKIP() << "libcrypto is not available";
    }
};
class HmacSha256 : public OnBothBackends {};
class Hkdf : public OnBothBackends {};
INSTANTIATE_TEST_SUITE_P(Backends, HmacSha256, test::both_backends(), test::backend_name);
INSTANTIATE_TEST_SUITE_P(Backends, Hkdf, test::both_backends(), test::backend_name);

struct HmacCase {
    Bytes key;
    Bytes data;
    const char* mac;
};

TEST_P(HmacSha256, Rfc4231) {
    const HmacCase cases[] = {
        {Bytes(20, 0x0b), from_hex("4869205468657265"),
         "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
        {from_hex("4a656665"), from_hex("7768617420646f2079612077616e7420666f72206e6f7468696e673f"),
         "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
        {Bytes(20, 0xaa), Bytes(50, 0xdd),
         "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
        {counting(25, 1), Bytes(50, 0xcd),
         "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"},
        // A key longer than the hash's block.
        {Bytes(131, 0xaa),
         from_hex(
             "54657374205573696e67204c6172676572205468616e20426c6f636b2d53697a65204b6579202d2048617368204b"
             "6579204669727374"),
         "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
    };
    for (const HmacCase& c : cases) {
        EXPECT_EQ(hex_encode(hmac_sha256(c.key, c.data)), c.mac);
        EXPECT_EQ(hex_encode(hmac_sha256_secret(c.key, {c.data}).reveal()), c.mac);
    }
}

TEST_P(HmacSha256, PartsAreOneMessage) {
    test::Random random;
    const Bytes data = random.bytes(300);
    for (const std::size_t key_size : {0, 1, 32, 63, 64, 65, 200}) {
        const Bytes key = random.bytes(key_size);
        const BytesView all(data);
        EXPECT_EQ(hex_encode(hmac_sha256_secret(key, {all.first(7), {}, all.subspan(7)}).reveal()),
                  hex_encode(hmac_sha256(key, data)))
            << key_size;
    }
}

TEST_P(Hkdf, Rfc5869) {
    // Appendix A.1.
    Secret key = hkdf_extract(counting(13), Bytes(22, 0x0b));
    EXPECT_EQ(hex_encode(key.reveal()), "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5");
    EXPECT_EQ(hex_encode(hkdf_expand(key.reveal(), counting(10, 0xf0), 42).reveal()),
              "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865");
    // Appendix A.2: longer than one block of output.
    key = hkdf_extract(counting(80, 0x60), counting(80));
    EXPECT_EQ(hex_encode(key.reveal()), "06a6b88c5853361a06104c9ceb35b45cef760014904671014a193f40c15fc244");
    EXPECT_EQ(
        hex_encode(hkdf_expand(key.reveal(), counting(80, 0xb0), 82).reveal()),
        "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09"
        "da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87");
    // Appendix A.3: neither salt nor info.
    key = hkdf_extract({}, Bytes(22, 0x0b));
    EXPECT_EQ(hex_encode(hkdf_expand(key.reveal(), {}, 42).reveal()),
              "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8");
}

TEST_P(Hkdf, RefusesSizesOutsideTheRfc) {
    const Secret key = Secret::random(32);
    EXPECT_EQ(hkdf_expand(key.reveal(), {}, 255 * 32).size(), 255u * 32);
    EXPECT_THROW(hkdf_expand(key.reveal(), {}, 255 * 32 + 1), std::length_error);
    EXPECT_THROW(hkdf_expand(Bytes(31), {}, 32), std::length_error);
}

}  // namespace
}  // namespace tunnel::tls
