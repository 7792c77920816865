#pragma once
// AES-128-GCM (NIST SP 800-38D) and ChaCha20-Poly1305 (RFC 8439), both with 12-byte nonces and 16-byte tags,
// over libcrypto when the build knows it and it can be loaded, else over mbedTLS. A key schedule is made once
// per key; a record costs no allocation.

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

#include "common/core/bytes.hpp"
#include "common/core/cipher.hpp"
#include "common/core/result.hpp"

namespace tunnel::tls {

constexpr std::size_t aead_key_size(Cipher cipher) {
    return cipher == Cipher::aes_128_gcm ? 16 : 32;
}
inline constexpr std::size_t max_aead_key_size = 32;
inline constexpr std::size_t aead_nonce_size = 12;
inline constexpr std::size_t aead_tag_size = 16;

// One key. Not for several threads at once: it holds the cipher's working state.
class Aead {
  public:
    using Nonce = std::span<const Byte, aead_nonce_size>;
    virtual ~Aead() = default;

    // Writes the ciphertext and then the tag: `out` is exactly plaintext.size() + 16 long. `out` may start at
    // the plaintext itself; it may not overlap it otherwise. False when the library refuses, which it has no
    // reason to.
    virtual bool seal(Nonce nonce, BytesView aad, BytesView plaintext, MutableBytes out) = 0;
    // The other way: `sealed` is ciphertext and tag, `out` exactly sealed.size() - 16 long, with the same
    // rule on overlap. False when the tag does not match; `out` is then wiped.
    virtual bool open(Nonce nonce, BytesView aad, BytesView sealed, MutableBytes out) = 0;
    // Another key of the same cipher from now on; what was made of the one before is overwritten.
    virtual void rekey(BytesView key) = 0;
};

enum class AeadBackend { mbedtls, libcrypto };
std::string_view to_string(AeadBackend backend);

// Makes Aeads of one backend; a cheap value, safe to share between threads. libcrypto is loaded and its
// ciphers looked up here, not for every key: make one (per program or per worker) and pass it down.
class AeadFactory {
  public:
    // libcrypto when it can be loaded and has the ciphers, else mbedTLS.
    static AeadFactory best();
    // Errc::unavailable when the backend is not in this build or cannot be loaded.
    static Result<AeadFactory> of(AeadBackend backend);

    // `key` has the cipher's size.
    std::unique_ptr<Aead> make(Cipher cipher, BytesView key) const;
    AeadBackend backend() const { return backend_; }

  private:
    using Fetched = std::shared_ptr<void>;  // libcrypto's EVP_CIPHER
    AeadFactory(AeadBackend backend, Fetched aes_128_gcm, Fetched chacha20_poly1305);
    AeadBackend backend_;
    Fetched aes_128_gcm_;
    Fetched chacha20_poly1305_;
};

}  // namespace tunnel::tls
