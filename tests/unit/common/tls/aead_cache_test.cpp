#include "common/tls/aead_cache.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "tests/unit/common/tls/both_backends.hpp"

namespace tunnel::tls {
namespace {

using Key = std::array<Byte, aead_key_size>;

Key key_number(std::size_t number) {
    Key key{};
    key[0] = static_cast<Byte>(number);
    key[1] = static_cast<Byte>(number >> 8);
    return key;
}

Bytes seal(Aead& aead, BytesView text) {
    constexpr std::array<Byte, aead_nonce_size> nonce{};
    Bytes out(text.size() + aead_tag_size);
    EXPECT_TRUE(aead.seal(nonce, {}, text, out));
    return out;
}

class AeadCacheTest : public testing::TestWithParam<AeadBackend> {
  protected:
    void SetUp() override {
        if (!AeadFactory::of(GetParam())) GTEST_SKIP() << "this build has no " << to_string(GetParam());
    }
    AeadFactory factory = AeadFactory::of(GetParam()).value_or(AeadFactory::best());
    AeadCache cache{factory};
};
INSTANTIATE_TEST_SUITE_P(Backends, AeadCacheTest, test::both_backends(), test::backend_name);

TEST_P(AeadCacheTest, ManyKeysInTurnEachSealAsTheyWouldAlone) {
    constexpr std::size_t count = 300;  // more than there are places
    std::vector<std::unique_ptr<Aead>> lent;
    for (std::size_t i = 0; i < count; ++i) lent.push_back(cache.make(key_number(i)));
    const auto text = view_of("the same for all");
    for (int round = 0; round < 3; ++round) {
        for (std::size_t i = 0; i < count; ++i)
            EXPECT_EQ(seal(*lent[i], text), seal(*factory.make(key_number(i)), text)) << "key " << i;
    }
}

TEST_P(AeadCacheTest, WhatOneSealsAnotherOfTheSameKeyOpens) {
    const auto sealer = cache.make(key_number(1));
    const auto opener = cache.make(key_number(1));
    const auto sealed = seal(*sealer, view_of("hello"));
    constexpr std::array<Byte, aead_nonce_size> nonce{};
    Bytes out(5);
    EXPECT_TRUE(opener->open(nonce, {}, sealed, out));
    EXPECT_EQ(text_of(out), "hello");
    EXPECT_FALSE(cache.make(key_number(2))->open(nonce, {}, sealed, out));
}

TEST_P(AeadCacheTest, AKeyThatIsGoneLeavesTheOthersAlone) {
    auto first = cache.make(key_number(1));
    auto second = cache.make(key_number(2));
    const auto before = seal(*second, view_of("x"));
    (void)seal(*first, view_of("x"));
    first.reset();
    EXPECT_EQ(seal(*second, view_of("x")), before);
    second->rekey(key_number(3));
    EXPECT_EQ(seal(*second, view_of("x")), seal(*factory.make(key_number(3)), view_of("x")));
}

TEST(AeadCache, GoesOverToTheBestBackendOnceItIsWorthLoading) {
    AeadCache cache;
    const auto key = key_number(1);
    const auto reference = AeadFactory::best().make(key);
    const auto lent = cache.make(key);
    const Bytes text(64 * 1024, Byte{'x'});
    const auto expected = seal(*reference, text);
    for (std::size_t moved = text.size(); moved <= AeadCache::worth_loading; moved += text.size()) {
        EXPECT_EQ(seal(*lent, text), expected);
        EXPECT_EQ(cache.backend(), AeadBackend::mbedtls) << "after " << moved << " bytes";
    }
    EXPECT_EQ(seal(*lent, text), expected);
    EXPECT_EQ(cache.backend(), AeadFactory::best().backend());
    EXPECT_EQ(seal(*cache.make(key), text), expected);
}

}  // namespace
}  // namespace tunnel::tls
