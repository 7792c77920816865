#include <openssl/evp.h>

#include <new>

#include "common/core/secret.hpp"
#include "common/tls/aead_backends.hpp"

namespace tunnel::tls {

namespace {

// One EVP context for both directions of use: the key is expanded once, each record sets only the nonce.
class LibcryptoAead final : public Aead {
  public:
    LibcryptoAead(std::shared_ptr<void> cipher, BytesView key)
        : cipher_(std::move(cipher)), context_(EVP_CIPHER_CTX_new()) {
        // 12 bytes is libcrypto's default nonce size for both ciphers (EVP_EncryptInit(3)).
        if (!context_ || EVP_EncryptInit_ex2(context_.get(), static_cast<const EVP_CIPHER*>(cipher_.get()),
                                             key.data(), nullptr, nullptr) != 1)
            throw std::bad_alloc();
    }

    bool seal(Nonce nonce, BytesView aad, BytesView plaintext, MutableBytes out) override {
        if (out.size() != plaintext.size() + aead_tag_size || plaintext.size() > max_input) return false;
        EVP_CIPHER_CTX* context = context_.get();
        Byte* tag = out.data() + plaintext.size();
        int written = 0;
        return EVP_EncryptInit_ex2(context, nullptr, nullptr, nonce.data(), nullptr) == 1 &&
               EVP_EncryptUpdate(context, nullptr, &written, aad.data(), static_cast<int>(aad.size())) == 1 &&
               (plaintext.empty() || EVP_EncryptUpdate(context, out.data(), &written, plaintext.data(),
                                                       static_cast<int>(plaintext.size())) == 1) &&
               EVP_EncryptFinal_ex(context, tag, &written) == 1 &&
               EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, static_cast<int>(aead_tag_size), tag) == 1;
    }

    bool open(Nonce nonce, BytesView aad, BytesView sealed, MutableBytes out) override {
        if (sealed.size() < aead_tag_size || out.size() != sealed.size() - aead_tag_size ||
            out.size() > max_input)
            return false;
        const bool genuine = decrypt(nonce, aad, sealed, out);
        if (!genuine) wipe(out);
        return genuine;
    }

    void rekey(BytesView key) override {
        if (EVP_EncryptInit_ex2(context_.get(), nullptr, key.data(), nullptr, nullptr) != 1)
            throw std::bad_alloc();
    }

  private:
    // Lengths are ints in this interface of libcrypto.
    static constexpr std::size_t max_input = std::size_t{1} << 30;

    bool decrypt(Nonce nonce, BytesView aad, BytesView sealed, MutableBytes out) {
        EVP_CIPHER_CTX* context = context_.get();
        int written = 0;
        if (EVP_DecryptInit_ex2(context, nullptr, nullptr, nonce.data(), nullptr) != 1) return false;
        if (EVP_DecryptUpdate(context, nullptr, &written, aad.data(), static_cast<int>(aad.size())) != 1)
            return false;
        if (!out.empty() && EVP_DecryptUpdate(context, out.data(), &written, sealed.data(),
                                              static_cast<int>(out.size())) != 1)
            return false;
        std::array<Byte, aead_tag_size> tag;
        std::copy_n(sealed.begin() + static_cast<std::ptrdiff_t>(out.size()), tag.size(), tag.begin());
        if (EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, static_cast<int>(tag.size()), tag.data()) !=
            1)
            return false;
        // The final step writes no bytes; it only compares the tag.
        std::array<Byte, aead_tag_size> nothing;
        return EVP_DecryptFinal_ex(context, nothing.data(), &written) == 1;
    }

    struct FreeContext {
        void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }  // wipes the key
    };
    std::shared_ptr<void> cipher_;
    std::unique_ptr<EVP_CIPHER_CTX, FreeContext> context_;
};

}  // namespace

std::shared_ptr<void> fetch_libcrypto_cipher(Cipher cipher) {
    const char* const name = cipher == Cipher::aes_128_gcm ? "AES-128-GCM" : "ChaCha20-Poly1305";
    EVP_CIPHER* found = EVP_CIPHER_fetch(nullptr, name, nullptr);
    if (found == nullptr) return nullptr;
    return {found, [](void* fetched) { EVP_CIPHER_free(static_cast<EVP_CIPHER*>(fetched)); }};
}

std::unique_ptr<Aead> make_libcrypto_aead(const std::shared_ptr<void>& cipher, BytesView key) {
    return std::make_unique<LibcryptoAead>(cipher, key);
}

}  // namespace tunnel::tls
