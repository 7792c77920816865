#include "common/tls/aead.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <span>

#include "tests/unit/common/tls/both_backends.hpp"
#include "tests/unit/common/tls/test_bytes.hpp"

namespace tunnel::tls {
namespace {

using test::from_hex;

// Every case runs on each backend of this build.
class AeadTest : public testing::TestWithParam<test::Kind> {
  protected:
    void SetUp() override {
        if (!GetParam().available()) GTEST_SKIP() << "this build has no " << GetParam();
    }
    std::unique_ptr<Aead> make(BytesView key) { return GetParam().factory().make(GetParam().cipher, key); }
    std::unique_ptr<Aead> make(Byte filled_with) {
        return make(Bytes(aead_key_size(GetParam().cipher), filled_with));
    }
    static Aead::Nonce nonce(const Bytes& bytes) { return BytesView(bytes).first<aead_nonce_size>(); }
};

struct Vector {
    const char* key;
    const char* nonce;
    const char* aad;
    const char* plaintext;
    const char* ciphertext;
    const char* tag;
};

// Test cases 1 to 4 of the GCM specification submitted to NIST (McGrew, Viega).
const Vector vectors[] = {
    {"00000000000000000000000000000000", "000000000000000000000000", "", "", "",
     "58e2fccefa7e3061367f1d57a4e7455a"},
    {"00000000000000000000000000000000", "000000000000000000000000", "", "00000000000000000000000000000000",
     "0388dace60b6a392f328c2b971b2fe78", "ab6e47d42cec13bdf53a67b21257bddf"},
    {"feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888", "",
     "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
     "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255",
     "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e"
     "21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091473f5985",
     "4d5c2af327cd64a62cf35abd2ba6fab4"},
    {"feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888",
     "feedfacedeadbeeffeedfacedeadbeefabaddad2",
     "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
     "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
     "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e"
     "21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091",
     "5bc94fbc3221a5db94fae95ae7121a47"},
};

// RFC 8439, section 2.8.2.
const Vector chacha_vectors[] = {
    {"808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f", "070000004041424344454647",
     "50515253c0c1c2c3c4c5c6c7",
     "4c616469657320616e642047656e746c656d656e206f662074686520636c617373206f66202739393a20496620492063"
     "6f756c64206f6666657220796f75206f6e6c79206f6e652074697020666f7220746865206675747572652c2073756e73"
     "637265656e20776f756c642062652069742e",
     "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69da92728b"
     "1a71de0a9e060b2905d6a5b67ecd3b3692ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc"
     "3ff4def08e4b7a9de576d26586cec64b6116",
     "1ae10b594f09e26a7e902ecbd0600691"},
};

TEST_P(AeadTest, KnownVectors) {
    const auto known = GetParam().cipher == Cipher::aes_128_gcm ? std::span<const Vector>(vectors)
                                                                : std::span<const Vector>(chacha_vectors);
    for (const Vector& vector : known) {
        const auto aead = make(from_hex(vector.key));
        const Bytes iv = from_hex(vector.nonce);
        const Bytes aad = from_hex(vector.aad);
        const Bytes plaintext = from_hex(vector.plaintext);
        Bytes sealed(plaintext.size() + aead_tag_size);
        ASSERT_TRUE(aead->seal(nonce(iv), aad, plaintext, sealed));
        EXPECT_EQ(hex_encode(sealed), std::string(vector.ciphertext) + vector.tag);
        Bytes opened(plaintext.size());
        ASSERT_TRUE(aead->open(nonce(iv), aad, sealed, opened));
        EXPECT_EQ(opened, plaintext);
    }
}

TEST_P(AeadTest, OneObjectSealsAndOpensInAnyOrder) {
    test::Random random;
    const auto aead = make(random.bytes(aead_key_size(GetParam().cipher)));
    for (int i = 0; i < 200; ++i) {
        const Bytes iv = random.bytes(aead_nonce_size);
        const Bytes aad = random.bytes(random.between(0, 40));
        const Bytes plaintext = random.bytes(random.between(0, 3000));
        Bytes sealed(plaintext.size() + aead_tag_size);
        Bytes opened(plaintext.size());
        ASSERT_TRUE(aead->seal(nonce(iv), aad, plaintext, sealed));
        Bytes altered = sealed;
        altered[random.between(0, altered.size() - 1)] ^= 1;
        EXPECT_FALSE(aead->open(nonce(iv), aad, altered, opened));
        ASSERT_TRUE(aead->open(nonce(iv), aad, sealed, opened)) << "a failure must not spoil the next call";
        EXPECT_EQ(opened, plaintext);
    }
}

TEST_P(AeadTest, FailureLeavesNoPlaintext) {
    const auto aead = make(Byte{7});
    const Bytes iv(aead_nonce_size, 1);
    const Bytes plaintext(1000, 'x');
    Bytes sealed(plaintext.size() + aead_tag_size);
    ASSERT_TRUE(aead->seal(nonce(iv), {}, plaintext, sealed));
    sealed.back() ^= 1;
    Bytes opened(plaintext.size(), 0xEE);
    EXPECT_FALSE(aead->open(nonce(iv), {}, sealed, opened));
    EXPECT_EQ(opened, Bytes(plaintext.size(), 0));
}

TEST_P(AeadTest, WorksInPlace) {
    const auto aead = make(Byte{7});
    const Bytes iv(aead_nonce_size, 1);
    const Bytes plaintext = test::counting(100);
    Bytes buffer = plaintext;
    buffer.resize(plaintext.size() + aead_tag_size);
    ASSERT_TRUE(aead->seal(nonce(iv), {}, BytesView(buffer).first(100), buffer));
    EXPECT_FALSE(std::equal(plaintext.begin(), plaintext.end(), buffer.begin()));
    ASSERT_TRUE(aead->open(nonce(iv), {}, buffer, MutableBytes(buffer).first(100)));
    EXPECT_TRUE(std::equal(plaintext.begin(), plaintext.end(), buffer.begin()));
}

TEST_P(AeadTest, RefusesBuffersOfTheWrongSize) {
    const auto aead = make(Byte{7});
    const Bytes iv(aead_nonce_size, 1);
    Bytes small(25);
    EXPECT_FALSE(aead->seal(nonce(iv), {}, Bytes(10), small));
    Bytes out(10);
    EXPECT_FALSE(aead->open(nonce(iv), {}, Bytes(15), out));
    EXPECT_FALSE(aead->open(nonce(iv), {}, Bytes(25), out));
}

TEST_P(AeadTest, AnotherKeyTakesTheirPlace) {
    const auto aead = make(Byte{7});
    const auto other = make(Byte{9});
    const Bytes iv(aead_nonce_size, 1);
    const Bytes plaintext = test::counting(100);
    Bytes first(plaintext.size() + aead_tag_size);
    Bytes second(first.size());
    ASSERT_TRUE(aead->seal(nonce(iv), {}, plaintext, first));
    aead->rekey(Bytes(aead_key_size(GetParam().cipher), 9));
    ASSERT_TRUE(aead->seal(nonce(iv), {}, plaintext, first));
    ASSERT_TRUE(other->seal(nonce(iv), {}, plaintext, second));
    EXPECT_EQ(first, second);
}

TEST_P(AeadTest, AKeyOfTheOtherCiphersSizeIsABug) {
    EXPECT_THROW((void)make(Bytes(aead_key_size(GetParam().cipher) - 1)), std::invalid_argument);
}

INSTANTIATE_TEST_SUITE_P(Kinds, AeadTest, test::every_kind(), test::kind_name);

TEST(AeadFactory, TheBackendsAgree) {
    const auto libcrypto = AeadFactory::of(AeadBackend::libcrypto);
    if (!libcrypto) GTEST_SKIP() << "libcrypto is not in this build";
    EXPECT_EQ(AeadFactory::best().backend(), AeadBackend::libcrypto);
    test::Random random;
    for (int i = 0; i < 400; ++i) {
        const auto cipher = i % 2 == 0 ? Cipher::aes_128_gcm : Cipher::chacha20_poly1305;
        const Bytes key = random.bytes(aead_key_size(cipher));
        const auto a = libcrypto->make(cipher, key);
        const auto b = AeadFactory::of(AeadBackend::mbedtls)->make(cipher, key);
        const Bytes iv = random.bytes(aead_nonce_size);
        const auto iv_view = BytesView(iv).first<aead_nonce_size>();
        const Bytes aad = random.bytes(random.between(0, 40));
        const Bytes plaintext = random.bytes(random.between(0, 2000));
        Bytes sealed_a(plaintext.size() + aead_tag_size);
        Bytes sealed_b(sealed_a.size());
        ASSERT_TRUE(a->seal(iv_view, aad, plaintext, sealed_a));
        ASSERT_TRUE(b->seal(iv_view, aad, plaintext, sealed_b));
        EXPECT_EQ(sealed_a, sealed_b);
    }
}

}  // namespace
}  // namespace tunnel::tls
