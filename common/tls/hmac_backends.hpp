#pragma once
// HMAC-SHA256 by libcrypto, with the processor's instructions for it where it has them; for hash.cpp only.

#include <initializer_list>

#include "common/core/bytes.hpp"

namespace tunnel::tls {

// Writes 32 bytes, or nothing and returns false: libcrypto is not in this build, not loaded (yet) or lacks
// SHA-256. It is loaded by whoever has much to encrypt (AeadCache).
bool hmac_by_libcrypto(BytesView key, std::initializer_list<BytesView> parts, MutableBytes out);

}  // namespace tunnel::tls
