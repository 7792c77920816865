// Stands in for aead_libcrypto.cpp in a build without OpenSSL: there is no libcrypto to fetch from, so that
// AeadFactory never asks for its Aead.

#include <stdexcept>

#include "common/tls/aead_backends.hpp"

namespace tunnel::tls {

std::shared_ptr<void> fetch_libcrypto_cipher(Cipher) {
    return nullptr;
}

std::unique_ptr<Aead> make_libcrypto_aead(const std::shared_ptr<void>&, BytesView) {
    throw std::logic_error("this build has no libcrypto");
}

}  // namespace tunnel::tls
