#pragma once
// The two implementations behind aead.hpp; for aead.cpp only.

#include <memory>
#include <span>

#include "common/tls/aead.hpp"

namespace tunnel::tls {

std::unique_ptr<Aead> make_mbedtls_aead(std::span<const Byte, aead_key_size> key);

// Null when libcrypto is not in this build, cannot be loaded or does not offer AES-128-GCM.
std::shared_ptr<void> fetch_libcrypto_cipher();
// `cipher` is what fetch_libcrypto_cipher returned, not null; the Aead keeps it.
std::unique_ptr<Aead> make_libcrypto_aead(const std::shared_ptr<void>& cipher,
                                          std::span<const Byte, aead_key_size> key);

}  // namespace tunnel::tls
