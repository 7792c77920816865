#include "common/tls/login_proof.hpp"

#include <gtest/gtest.h>

#include "tests/unit/common/tls/test_bytes.hpp"

namespace tunnel::tls {
namespace {

using test::counting;

const Secret& secret() {
    static const Secret value{BytesView(counting(32))};
    return value;
}
const Secret& binding() {
    static const Secret value{BytesView(counting(32, 32))};
    return value;
}

// Computed with Python's hmac. A change here locks every client out of every server.
TEST(LoginProof, FixedVector) {
    const StoredKey stored = stored_key(secret(), "home");
    EXPECT_EQ(hex_encode(stored), "eea9855b47dbab4bb0cb748fb72ae90c45917e9bb3e1466c477382423e9a33e8");
    const LoginProof proof = make_proof(secret(), "home", binding());
    EXPECT_EQ(hex_encode(proof), "d85f2bf4ab6096b2e5a28555921cb1a47d665a0c813cc50b5d86ebf965dca714");
    EXPECT_TRUE(check_proof(stored, proof, binding()));
}

TEST(LoginProof, BelongsToOneSecretNameAndSession) {
    const StoredKey stored = stored_key(secret(), "home");
    EXPECT_FALSE(check_proof(stored, make_proof(Secret::random(32), "home", binding()), binding()));
    EXPECT_FALSE(check_proof(stored, make_proof(secret(), "office", binding()), binding()));
    EXPECT_FALSE(check_proof(stored, make_proof(secret(), "home", Secret::random(32)), binding()));
    EXPECT_NE(stored, stored_key(secret(), "office"));
}

TEST(LoginProof, EveryBitCounts) {
    const StoredKey stored = stored_key(secret(), "home");
    const LoginProof proof = make_proof(secret(), "home", binding());
    for (std::size_t bit = 0; bit < 8 * proof.size(); ++bit) {
        LoginProof altered = proof;
        altered[bit / 8] ^= static_cast<Byte>(1 << (bit % 8));
        EXPECT_FALSE(check_proof(stored, altered, binding())) << bit;
    }
}

TEST(LoginProof, OtherLengthsAreWrong) {
    const StoredKey stored = stored_key(secret(), "home");
    const LoginProof proof = make_proof(secret(), "home", binding());
    EXPECT_FALSE(check_proof(stored, {}, binding()));
    EXPECT_FALSE(check_proof(stored, BytesView(proof).first(31), binding()));
    Bytes longer(proof.begin(), proof.end());
    longer.push_back(0);
    EXPECT_FALSE(check_proof(stored, longer, binding()));
}

TEST(LoginProof, TheStoreAloneDoesNotLogIn) {
    // What a thief can try with a stored key: use it as the secret, or as the key that is masked.
    const StoredKey stored = stored_key(secret(), "home");
    EXPECT_FALSE(check_proof(stored, make_proof(Secret(stored), "home", binding()), binding()));
    EXPECT_FALSE(check_proof(stored, stored, binding()));
}

}  // namespace
}  // namespace tunnel::tls
