#pragma once
// SHA-256, HMAC-SHA256 (RFC 2104) and HKDF-SHA256 (RFC 5869) over mbedTLS; HMAC over libcrypto once that is
// loaded (AeadCache), which is several times faster. Pure functions, safe from any thread. They cannot fail
// for the caller's reasons; out of memory throws std::bad_alloc as a vector would.

#include <array>
#include <cstddef>
#include <initializer_list>

#include "common/core/bytes.hpp"
#include "common/core/secret.hpp"

namespace tunnel::tls {

inline constexpr std::size_t digest_size = 32;
using Digest = std::array<Byte, digest_size>;

// The parts are hashed as if they stood one after the other.
Digest sha256(std::initializer_list<BytesView> parts);
inline Digest sha256(BytesView data) {
    return sha256({data});
}

// A MAC that is sent or compared. When the result is itself a key, use hmac_sha256_secret.
Digest hmac_sha256(BytesView key, std::initializer_list<BytesView> parts);
inline Digest hmac_sha256(BytesView key, BytesView data) {
    return hmac_sha256(key, {data});
}
Secret hmac_sha256_secret(BytesView key, std::initializer_list<BytesView> parts);

// RFC 5869 section 2.2: any input keying material -> a 32-byte pseudorandom key.
Secret hkdf_extract(BytesView salt, BytesView input_key);
// RFC 5869 section 2.3. `key` is at least 32 uniform bytes; `length` at most 255 * 32 (std::length_error
// beyond: lengths are constants of the program, never a peer's).
Secret hkdf_expand(BytesView key, BytesView info, std::size_t length);

}  // namespace tunnel::tls
