#include <mbedtls/gcm.h>

#include <new>

#include "common/core/secret.hpp"
#include "common/tls/aead_backends.hpp"

namespace tunnel::tls {

namespace {

class MbedtlsAead final : public Aead {
  public:
    explicit MbedtlsAead(std::span<const Byte, aead_key_size> key) {
        mbedtls_gcm_init(&context_);
        set_key(key);
    }
    MbedtlsAead(const MbedtlsAead&) = delete;
    MbedtlsAead& operator=(const MbedtlsAead&) = delete;
    ~MbedtlsAead() override { mbedtls_gcm_free(&context_); }

    bool seal(Nonce nonce, BytesView aad, BytesView plaintext, MutableBytes out) override {
        if (out.size() != plaintext.size() + aead_tag_size) return false;
        return mbedtls_gcm_crypt_and_tag(&context_, MBEDTLS_GCM_ENCRYPT, plaintext.size(), nonce.data(),
                                         nonce.size(), aad.data(), aad.size(), plaintext.data(), out.data(),
                                         aead_tag_size, out.data() + plaintext.size()) == 0;
    }

    bool open(Nonce nonce, BytesView aad, BytesView sealed, MutableBytes out) override {
        if (sealed.size() < aead_tag_size || out.size() != sealed.size() - aead_tag_size) return false;
        const bool genuine = mbedtls_gcm_auth_decrypt(&context_, out.size(), nonce.data(), nonce.size(),
                                                      aad.data(), aad.size(), sealed.data() + out.size(),
                                                      aead_tag_size, sealed.data(), out.data()) == 0;
        if (!genuine) wipe(out);
        return genuine;
    }

    void rekey(std::span<const Byte, aead_key_size> key) override {
        mbedtls_gcm_free(&context_);
        mbedtls_gcm_init(&context_);
        set_key(key);
    }

  private:
    void set_key(std::span<const Byte, aead_key_size> key) {
        // The key's size is right by its type, so that only allocation can fail.
        if (mbedtls_gcm_setkey(&context_, MBEDTLS_CIPHER_ID_AES, key.data(), 8 * aead_key_size) != 0)
            throw std::bad_alloc();
    }

    mbedtls_gcm_context context_;
};

}  // namespace

std::unique_ptr<Aead> make_mbedtls_aead(std::span<const Byte, aead_key_size> key) {
    return std::make_unique<MbedtlsAead>(key);
}

}  // namespace tunnel::tls
