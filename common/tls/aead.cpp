#include "common/tls/aead.hpp"

#include <stdexcept>

#include "common/tls/aead_backends.hpp"

namespace tunnel::tls {

std::string_view to_string(AeadBackend backend) {
    return backend == AeadBackend::libcrypto ? "libcrypto" : "mbedtls";
}

AeadFactory::AeadFactory(AeadBackend backend, Fetched aes_128_gcm, Fetched chacha20_poly1305)
    : backend_(backend),
      aes_128_gcm_(std::move(aes_128_gcm)),
      chacha20_poly1305_(std::move(chacha20_poly1305)) {}

Result<AeadFactory> AeadFactory::of(AeadBackend backend) {
    if (backend == AeadBackend::mbedtls) return AeadFactory(backend, nullptr, nullptr);
    auto aes = fetch_libcrypto_cipher(Cipher::aes_128_gcm);
    auto chacha = fetch_libcrypto_cipher(Cipher::chacha20_poly1305);
    if (aes && chacha) return AeadFactory(backend, std::move(aes), std::move(chacha));
    return fail(Errc::unavailable,
                "the ciphers of libcrypto are not available: the build did not find OpenSSL 3, it is not "
                "installed here, or does not offer AES-128-GCM and ChaCha20-Poly1305");
}

AeadFactory AeadFactory::best() {
    if (auto libcrypto = of(AeadBackend::libcrypto)) return *std::move(libcrypto);
    return {AeadBackend::mbedtls, nullptr, nullptr};
}

std::unique_ptr<Aead> AeadFactory::make(Cipher cipher, BytesView key) const {
    if (key.size() != aead_key_size(cipher)) throw std::invalid_argument("a key of another cipher's size");
    if (backend_ == AeadBackend::mbedtls) return make_mbedtls_aead(cipher, key);
    return make_libcrypto_aead(cipher == Cipher::aes_128_gcm ? aes_128_gcm_ : chacha20_poly1305_, key);
}

}  // namespace tunnel::tls
