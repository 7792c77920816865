// The record codec against libcrypto's EVP calls, written here from RFC 5246, 5288 and 7905 and not from the
// codec.

#include <gtest/gtest.h>
#include <openssl/evp.h>

#include <algorithm>
#include <memory>

#include "common/tls/record.hpp"
#include "tests/unit/common/tls/both_backends.hpp"
#include "tests/unit/common/tls/test_bytes.hpp"

namespace tunnel::tls {
namespace {

struct FreeCipher {
    void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_CIPHER_CTX, FreeCipher>;

Bytes concat(std::initializer_list<BytesView> parts) {
    Bytes out;
    for (const BytesView part : parts) append(out, part);
    return out;
}

Bytes sequence_bytes(std::uint64_t sequence) {
    Bytes out(8);
    for (int i = 7; i >= 0; --i, sequence >>= 8)
        out[static_cast<std::size_t>(i)] = static_cast<Byte>(sequence);
    return out;
}

Bytes length_bytes(std::size_t length) {
    return {static_cast<Byte>(length >> 8), static_cast<Byte>(length)};
}

const EVP_CIPHER* evp_of(const DirectionKeys& keys) {
    return keys.cipher() == Cipher::aes_128_gcm ? EVP_aes_128_gcm() : EVP_chacha20_poly1305();
}

// RFC 5288 section 3: the salt and the explicit nonce. RFC 7905 section 2: the IV xor the padded sequence
// number.
Bytes evp_nonce(const DirectionKeys& keys, BytesView number) {
    if (keys.cipher() == Cipher::aes_128_gcm) return concat({keys.iv(), number});
    Bytes nonce(keys.iv().begin(), keys.iv().end());
    for (std::size_t i = 0; i < 8; ++i) nonce[4 + i] ^= number[i];
    return nonce;
}

Bytes evp_seal(const DirectionKeys& keys, std::uint64_t sequence, Byte type, BytesView plaintext) {
    const Bytes number = sequence_bytes(sequence);
    const Bytes iv = evp_nonce(keys, number);
    const Bytes aad = concat({number, Bytes{type, 3, 3}, length_bytes(plaintext.size())});
    const Context cipher(EVP_CIPHER_CTX_new());
    Bytes body(plaintext.size());
    Bytes tag(16);
    int n = 0;
    EVP_EncryptInit_ex(cipher.get(), evp_of(keys), nullptr, keys.key().data(), iv.data());
    EVP_EncryptUpdate(cipher.get(), nullptr, &n, aad.data(), static_cast<int>(aad.size()));
    EVP_EncryptUpdate(cipher.get(), body.data(), &n, plaintext.data(), static_cast<int>(plaintext.size()));
    EVP_EncryptFinal_ex(cipher.get(), tag.data(), &n);
    EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_AEAD_GET_TAG, 16, tag.data());
    const Bytes explicit_nonce = keys.cipher() == Cipher::aes_128_gcm ? number : Bytes();
    return concat({Bytes{type, 3, 3}, length_bytes(explicit_nonce.size() + body.size() + 16), explicit_nonce,
                   body, tag});
}

bool evp_open(const DirectionKeys& keys, std::uint64_t sequence, BytesView record, Bytes& plaintext) {
    const bool aes = keys.cipher() == Cipher::aes_128_gcm;
    const std::size_t start = aes ? 13 : 5;
    plaintext.assign(record.size() - start - 16, 0);
    const Bytes number = sequence_bytes(sequence);
    const Bytes iv = evp_nonce(keys, aes ? record.subspan(5, 8) : BytesView(number));
    const Bytes aad = concat({number, record.first(3), length_bytes(plaintext.size())});
    Bytes tag(record.end() - 16, record.end());
    const Context cipher(EVP_CIPHER_CTX_new());
    int n = 0;
    EVP_DecryptInit_ex(cipher.get(), evp_of(keys), nullptr, keys.key().data(), iv.data());
    EVP_DecryptUpdate(cipher.get(), nullptr, &n, aad.data(), static_cast<int>(aad.size()));
    EVP_DecryptUpdate(cipher.get(), plaintext.data(), &n, record.data() + start,
                      static_cast<int>(plaintext.size()));
    EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_AEAD_SET_TAG, 16, tag.data());
    return EVP_DecryptFinal_ex(cipher.get(), plaintext.data(), &n) == 1;
}

class RecordInterop : public testing::TestWithParam<test::Kind> {};

TEST_P(RecordInterop, BothWays) {
    test::Random random;
    const auto cipher = GetParam().cipher;
    const DirectionKeys keys(cipher, random.bytes(aead_key_size(cipher) + iv_size(cipher)));
    ASSERT_TRUE(GetParam().available());
    RecordSealer sealer(GetParam().factory(), keys);
    RecordOpener opener(GetParam().factory(), keys);
    for (std::uint64_t sequence = 0; sequence < 300; ++sequence) {
        const Bytes plaintext = random.bytes(random.between(1, sequence % 10 == 0 ? 16384 : 500));
        Bytes ours(plaintext.size() + record_overhead_of(cipher));
        ASSERT_TRUE(sealer.seal(RecordType::application_data, plaintext, ours));
        const Bytes theirs = evp_seal(keys, sequence, 23, plaintext);
        EXPECT_EQ(ours, theirs);
        Bytes opened;
        EXPECT_TRUE(evp_open(keys, sequence, ours, opened));
        EXPECT_EQ(opened, plaintext);
        Bytes out(plaintext.size());
        const auto result = opener.open(theirs, out);
        ASSERT_TRUE(result) << result.error().message;
        EXPECT_EQ(out, plaintext);
    }
}

INSTANTIATE_TEST_SUITE_P(Kinds, RecordInterop, test::every_kind(), test::kind_name);

}  // namespace
}  // namespace tunnel::tls
