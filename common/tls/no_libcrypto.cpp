// Stands in for aead_libcrypto.cpp and hmac_libcrypto.cpp in a build without OpenSSL: there is no libcrypto
// to fetch from, so that AeadFactory never asks for its Aead.

#include <stdexcept>

#include "common/tls/aead_backends.hpp"
#include "common/tls/hmac_backends.hpp"

namespace tunnel::tls {

std::shared_ptr<void> fetch_libcrypto_cipher(Cipher) {
    return nullptr;
}

std::unique_ptr<Aead> make_libcrypto_aead(const std::shared_ptr<void>&, BytesView) {
    throw std::logic_error("this build has no libcrypto");
}

bool hmac_by_libcrypto(BytesView, std::initializer_list<BytesView>, MutableBytes) {
    return false;
}

}  // namespace tunnel::tls
