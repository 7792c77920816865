#include <mbedtls/chachapoly.h>
#include <mbedtls/gcm.h>

#include <new>

#include "common/core/secret.hpp"
#include "common/tls/aead_backends.hpp"

namespace tunnel::tls {

namespace {

class GcmAead final : public Aead {
  public:
    explicit GcmAead(BytesView key) {
        mbedtls_gcm_init(&context_);
        set_key(key);
    }
    GcmAead(const GcmAead&) = delete;
    GcmAead& operator=(const GcmAead&) = delete;
    ~GcmAead() override { mbedtls_gcm_free(&context_); }

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

    void rekey(BytesView key) override {
        mbedtls_gcm_free(&context_);
        mbedtls_gcm_init(&context_);
        set_key(key);
    }

  private:
    void set_key(BytesView key) {
        // The key's size is right by its type, so that only allocation can fail.
        if (mbedtls_gcm_setkey(&context_, MBEDTLS_CIPHER_ID_AES, key.data(),
                               static_cast<unsigned>(8 * key.size())) != 0)
            throw std::bad_alloc();
    }

    mbedtls_gcm_context context_;
};

class ChachaAead final : public Aead {
  public:
    explicit ChachaAead(BytesView key) {
        mbedtls_chachapoly_init(&context_);
        set_key(key);
    }
    ChachaAead(const ChachaAead&) = delete;
    ChachaAead& operator=(const ChachaAead&) = delete;
    ~ChachaAead() override { mbedtls_chachapoly_free(&context_); }

    bool seal(Nonce nonce, BytesView aad, BytesView plaintext, MutableBytes out) override {
        if (out.size() != plaintext.size() + aead_tag_size) return false;
        return mbedtls_chachapoly_encrypt_and_tag(&context_, plaintext.size(), nonce.data(), aad.data(),
                                                  aad.size(), plaintext.data(), out.data(),
                                                  out.data() + plaintext.size()) == 0;
    }

    bool open(Nonce nonce, BytesView aad, BytesView sealed, MutableBytes out) override {
        if (sealed.size() < aead_tag_size || out.size() != sealed.size() - aead_tag_size) return false;
        const bool genuine =
            mbedtls_chachapoly_auth_decrypt(&context_, out.size(), nonce.data(), aad.data(), aad.size(),
                                            sealed.data() + out.size(), sealed.data(), out.data()) == 0;
        if (!genuine) wipe(out);
        return genuine;
    }

    void rekey(BytesView key) override {
        mbedtls_chachapoly_free(&context_);
        mbedtls_chachapoly_init(&context_);
        set_key(key);
    }

  private:
    void set_key(BytesView key) {
        if (mbedtls_chachapoly_setkey(&context_, key.data()) != 0) throw std::bad_alloc();
    }

    mbedtls_chachapoly_context context_;
};

}  // namespace

std::unique_ptr<Aead> make_mbedtls_aead(Cipher cipher, BytesView key) {
    if (cipher == Cipher::aes_128_gcm) return std::make_unique<GcmAead>(key);
    return std::make_unique<ChachaAead>(key);
}

}  // namespace tunnel::tls
