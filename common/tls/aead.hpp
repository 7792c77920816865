#pragma once
// AES-128-GCM (NIST SP 800-38D) with 12-byte nonces and 16-byte tags, over libcrypto when the build knows it
// and it can be loaded, else over mbedTLS. A key schedule is made once per key; a record costs no allocation.

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

#include "common/core/bytes.hpp"
#include "common/core/result.hpp"

namespace tunnel::tls {

inline constexpr std::size_t aead_key_size = 16;
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
    // Another key from now on; what was made of the one before is overwritten.
    virtual void rekey(std::span<const Byte, aead_key_size> key) = 0;
};

enum class AeadBackend { mbedtls, libcrypto };
std::string_view to_string(AeadBackend backend);

// Makes Aeads of one backend; a cheap value, safe to share between threads. libcrypto is loaded and its
// cipher looked up here, not for every key: make one (per program or per worker) and pass it down.
class AeadFactory {
  public:
    // libcrypto when it can be loaded and has the cipher, else mbedTLS.
    static AeadFactory best();
    // Errc::unavailable when the backend is not in this build or cannot be loaded.
    static Result<AeadFactory> of(AeadBackend backend);

    std::unique_ptr<Aead> make(std::span<const Byte, aead_key_size> key) const;
    AeadBackend backend() const { return backend_; }

  private:
    AeadFactory(AeadBackend backend, std::shared_ptr<void> cipher);
    AeadBackend backend_;
    std::shared_ptr<void> cipher_;  // libcrypto's EVP_CIPHER
};

}  // namespace tunnel::tls
