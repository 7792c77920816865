#include "common/tls/aead_cache.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "tests/unit/common/tls/both_backends.hpp"

namespace tunnel::tls {
namespace {

Bytes seal(Aead& aead, BytesView text) {
    constexpr std::array<Byte, aead_nonce_size> nonce{};
    Bytes out(text.size() + aead_tag_size);
    EXPECT_TRUE(aead.seal(nonce, {}, text, out));
    return out;
}

class AeadCacheTest : public testing::TestWithParam<test::Kind> {
  protected:
    void SetUp() override {
        if (!GetParam().available()) GTEST_SKIP() << "this build has no " << GetParam();
    }
    static Bytes key_number(std::size_t number, Cipher cipher = GetParam().cipher) {
        Bytes key(aead_key_size(cipher));
        key[0] = static_cast<Byte>(number);
        key[1] = static_cast<Byte>(number >> 8);
        return key;
    }
    std::unique_ptr<Aead> lend(std::size_t number) {
        return cache.make(GetParam().cipher, key_number(number));
    }
    std::unique_ptr<Aead> alone(std::size_t number) {
        return factory.make(GetParam().cipher, key_number(number));
    }

    AeadFactory factory = AeadFactory::of(GetParam().backend).value_or(AeadFactory::best());
    AeadCache cache{factory};
};
INSTANTIATE_TEST_SUITE_P(Kinds, AeadCacheTest, test::every_kind(), test::kind_name);

TEST_P(AeadCacheTest, ManyKeysInTurnEachSealAsTheyWouldAlone) {
    constexpr std::size_t count = 300;  // more than there are places
    std::vector<std::unique_ptr<Aead>> lent;
    for (std::size_t i = 0; i < count; ++i) lent.push_back(lend(i));
    const auto text = view_of("the same for all");
    for (int round = 0; round < 3; ++round) {
        for (std::size_t i = 0; i < count; ++i)
            EXPECT_EQ(seal(*lent[i], text), seal(*alone(i), text)) << "key " << i;
    }
}

TEST_P(AeadCacheTest, WhatOneSealsAnotherOfTheSameKeyOpens) {
    const auto sealer = lend(1);
    const auto opener = lend(1);
    const auto sealed = seal(*sealer, view_of("hello"));
    constexpr std::array<Byte, aead_nonce_size> nonce{};
    Bytes out(5);
    EXPECT_TRUE(opener->open(nonce, {}, sealed, out));
    EXPECT_EQ(text_of(out), "hello");
    EXPECT_FALSE(lend(2)->open(nonce, {}, sealed, out));
}

TEST_P(AeadCacheTest, AKeyThatIsGoneLeavesTheOthersAlone) {
    auto first = lend(1);
    auto second = lend(2);
    const auto before = seal(*second, view_of("x"));
    (void)seal(*first, view_of("x"));
    first.reset();
    EXPECT_EQ(seal(*second, view_of("x")), before);
    second->rekey(key_number(3));
    EXPECT_EQ(seal(*second, view_of("x")), seal(*alone(3), view_of("x")));
}

TEST_P(AeadCacheTest, WhatIsInUseIsNotWiped) {
    auto used = lend(1);
    auto gone = lend(2);
    const auto before = seal(*used, view_of("x"));
    (void)seal(*gone, view_of("x"));
    gone.reset();
    for (int i = 0; i < 2; ++i) {
        cache.wipe_unused();
        EXPECT_EQ(seal(*used, view_of("x")), before);
        EXPECT_EQ(seal(*lend(3), view_of("x")), seal(*alone(3), view_of("x")));
    }
}

// Connections of both kinds run on one worker.
TEST_P(AeadCacheTest, CiphersTakeEachOthersPlaces) {
    constexpr std::size_t count = 300;
    std::vector<std::unique_ptr<Aead>> lent;
    const auto cipher_of = [](std::size_t i) {
        return i % 3 == 0 ? Cipher::aes_128_gcm : Cipher::chacha20_poly1305;
    };
    for (std::size_t i = 0; i < count; ++i)
        lent.push_back(cache.make(cipher_of(i), key_number(i, cipher_of(i))));
    for (int round = 0; round < 2; ++round) {
        for (std::size_t i = 0; i < count; ++i)
            EXPECT_EQ(seal(*lent[i], view_of("text")),
                      seal(*factory.make(cipher_of(i), key_number(i, cipher_of(i))), view_of("text")))
                << "key " << i;
    }
}

TEST(AeadCache, GoesOverToTheBestBackendOnceItIsWorthLoading) {
    AeadCache cache;
    constexpr auto cipher = Cipher::aes_128_gcm;
    const Bytes key(aead_key_size(cipher), 1);
    const auto reference = AeadFactory::best().make(cipher, key);
    const auto lent = cache.make(cipher, key);
    const Bytes text(64 * 1024, Byte{'x'});
    const auto expected = seal(*reference, text);
    for (std::size_t moved = text.size(); moved <= AeadCache::worth_loading; moved += text.size()) {
        EXPECT_EQ(seal(*lent, text), expected);
        EXPECT_EQ(cache.backend(), AeadBackend::mbedtls) << "after " << moved << " bytes";
    }
    EXPECT_EQ(seal(*lent, text), expected);
    EXPECT_EQ(cache.backend(), AeadFactory::best().backend());
    EXPECT_EQ(seal(*cache.make(cipher, key), text), expected);
}

}  // namespace
}  // namespace tunnel::tls
