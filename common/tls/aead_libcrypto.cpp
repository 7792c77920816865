#include <new>

#include "common/core/secret.hpp"
#include "common/tls/aead_backends.hpp"
#include "common/tls/libcrypto.hpp"

namespace tunnel::tls {

namespace {

struct FetchedCipher {
    explicit FetchedCipher(const char* name) : lib(Libcrypto::load()) {
        if (lib.has_ciphers()) cipher = lib.cipher_fetch(nullptr, name, nullptr);
    }
    FetchedCipher(const FetchedCipher&) = delete;
    FetchedCipher& operator=(const FetchedCipher&) = delete;
    ~FetchedCipher() {
        if (cipher != nullptr) lib.cipher_free(cipher);
    }
    const Libcrypto& lib;
    EVP_CIPHER* cipher = nullptr;
};

// One EVP context for both directions of use: the key is expanded once, each record sets only the nonce.
class LibcryptoAead final : public Aead {
  public:
    LibcryptoAead(std::shared_ptr<FetchedCipher> cipher, BytesView key)
        : cipher_(std::move(cipher)), context_(lib().context_new(), lib().context_free) {
        // 12 bytes is libcrypto's default nonce size for both ciphers (EVP_EncryptInit(3)).
        if (!context_ ||
            lib().encrypt_init(context_.get(), cipher_->cipher, key.data(), nullptr, nullptr) != 1)
            throw std::bad_alloc();
    }

    bool seal(Nonce nonce, BytesView aad, BytesView plaintext, MutableBytes out) override {
        if (out.size() != plaintext.size() + aead_tag_size || plaintext.size() > max_input) return false;
        EVP_CIPHER_CTX* context = context_.get();
        Byte* tag = out.data() + plaintext.size();
        int written = 0;
        return lib().encrypt_init(context, nullptr, nullptr, nonce.data(), nullptr) == 1 &&
               lib().encrypt_update(context, nullptr, &written, aad.data(), static_cast<int>(aad.size())) ==
                   1 &&
               (plaintext.empty() || lib().encrypt_update(context, out.data(), &written, plaintext.data(),
                                                          static_cast<int>(plaintext.size())) == 1) &&
               lib().encrypt_final(context, tag, &written) == 1 &&
               lib().control(context, EVP_CTRL_AEAD_GET_TAG, static_cast<int>(aead_tag_size), tag) == 1;
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
        if (lib().encrypt_init(context_.get(), nullptr, key.data(), nullptr, nullptr) != 1)
            throw std::bad_alloc();
    }

  private:
    // Lengths are ints in this interface of libcrypto.
    static constexpr std::size_t max_input = std::size_t{1} << 30;

    bool decrypt(Nonce nonce, BytesView aad, BytesView sealed, MutableBytes out) {
        EVP_CIPHER_CTX* context = context_.get();
        int written = 0;
        if (lib().decrypt_init(context, nullptr, nullptr, nonce.data(), nullptr) != 1) return false;
        if (lib().decrypt_update(context, nullptr, &written, aad.data(), static_cast<int>(aad.size())) != 1)
            return false;
        if (!out.empty() && lib().decrypt_update(context, out.data(), &written, sealed.data(),
                                                 static_cast<int>(out.size())) != 1)
            return false;
        std::array<Byte, aead_tag_size> tag;
        std::copy_n(sealed.begin() + static_cast<std::ptrdiff_t>(out.size()), tag.size(), tag.begin());
        if (lib().control(context, EVP_CTRL_AEAD_SET_TAG, static_cast<int>(tag.size()), tag.data()) != 1)
            return false;
        // The final step writes no bytes; it only compares the tag.
        std::array<Byte, aead_tag_size> nothing;
        return lib().decrypt_final(context, nothing.data(), &written) == 1;
    }

    const Libcrypto& lib() const { return cipher_->lib; }

    std::shared_ptr<FetchedCipher> cipher_;
    // Freeing it wipes the key.
    std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)> context_;
};

}  // namespace

std::shared_ptr<void> fetch_libcrypto_cipher(Cipher cipher) {
    auto fetched =
        std::make_shared<FetchedCipher>(cipher == Cipher::aes_128_gcm ? "AES-128-GCM" : "ChaCha20-Poly1305");
    if (fetched->cipher == nullptr) return nullptr;
    return fetched;
}

std::unique_ptr<Aead> make_libcrypto_aead(const std::shared_ptr<void>& cipher, BytesView key) {
    return std::make_unique<LibcryptoAead>(std::static_pointer_cast<FetchedCipher>(cipher), key);
}

}  // namespace tunnel::tls
