#pragma once
// The two implementations behind aead.hpp; for aead.cpp only.

#include <memory>

#include "common/tls/aead.hpp"

namespace tunnel::tls {

// `key` has the cipher's size.
std::unique_ptr<Aead> make_mbedtls_aead(Cipher cipher, BytesView key);

// Null when libcrypto is not in this build, cannot be loaded or does not offer the cipher.
std::shared_ptr<void> fetch_libcrypto_cipher(Cipher cipher);
// `cipher` is what fetch_libcrypto_cipher returned, not null; the Aead keeps it.
std::unique_ptr<Aead> make_libcrypto_aead(const std::shared_ptr<void>& cipher, BytesView key);

}  // namespace tunnel::tls
