#include "common/tls/aead.hpp"

#include "common/tls/aead_backends.hpp"

namespace tunnel::tls {

std::string_view to_string(AeadBackend backend) {
    return backend == AeadBackend::libcrypto ? "libcrypto" : "mbedtls";
}

AeadFactory::AeadFactory(AeadBackend backend, std::shared_ptr<void> cipher)
    : backend_(backend), cipher_(std::move(cipher)) {}

Result<AeadFactory> AeadFactory::of(AeadBackend backend) {
    if (backend == AeadBackend::mbedtls) return AeadFactory(backend, nullptr);
    if (auto cipher = fetch_libcrypto_cipher()) return AeadFactory(backend, std::move(cipher));
    return fail(Errc::unavailable,
                "AES-128-GCM of libcrypto is not available: the build did not find OpenSSL 3, it is not "
                "installed here, or does not offer the cipher");
}

AeadFactory AeadFactory::best() {
    if (auto libcrypto = of(AeadBackend::libcrypto)) return *std::move(libcrypto);
    return {AeadBackend::mbedtls, nullptr};
}

std::unique_ptr<Aead> AeadFactory::make(std::span<const Byte, aead_key_size> key) const {
    return backend_ == AeadBackend::libcrypto ? make_libcrypto_aead(cipher_, key) : make_mbedtls_aead(key);
}

}  // namespace tunnel::tls
