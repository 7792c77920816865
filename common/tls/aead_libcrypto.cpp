#include <dlfcn.h>
#include <openssl/evp.h>
#include <openssl/opensslv.h>

#include <new>
#include <string>

#include "common/core/secret.hpp"
#include "common/tls/aead_backends.hpp"

namespace tunnel::tls {

namespace {

// What is called of libcrypto, which is loaded when it is first wanted: its pages and tables cost a process
// some 3 MiB. It stays loaded.
class Libcrypto {
  public:
    Libcrypto() : library_(::dlopen(soname().c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE)) {
        if (library_ == nullptr) return;
        find(cipher_fetch, "EVP_CIPHER_fetch");
        find(cipher_free, "EVP_CIPHER_free");
        find(context_new, "EVP_CIPHER_CTX_new");
        find(context_free, "EVP_CIPHER_CTX_free");
        find(control, "EVP_CIPHER_CTX_ctrl");
        find(encrypt_init, "EVP_EncryptInit_ex2");
        find(encrypt_update, "EVP_EncryptUpdate");
        find(encrypt_final, "EVP_EncryptFinal_ex");
        find(decrypt_init, "EVP_DecryptInit_ex2");
        find(decrypt_update, "EVP_DecryptUpdate");
        find(decrypt_final, "EVP_DecryptFinal_ex");
    }
    // Whether all of it was found.
    bool complete() const { return library_ != nullptr && missing_ == 0; }

    decltype(&EVP_CIPHER_fetch) cipher_fetch{};
    decltype(&EVP_CIPHER_free) cipher_free{};
    decltype(&EVP_CIPHER_CTX_new) context_new{};
    decltype(&EVP_CIPHER_CTX_free) context_free{};
    decltype(&EVP_CIPHER_CTX_ctrl) control{};
    decltype(&EVP_EncryptInit_ex2) encrypt_init{};
    decltype(&EVP_EncryptUpdate) encrypt_update{};
    decltype(&EVP_EncryptFinal_ex) encrypt_final{};
    decltype(&EVP_DecryptInit_ex2) decrypt_init{};
    decltype(&EVP_DecryptUpdate) decrypt_update{};
    decltype(&EVP_DecryptFinal_ex) decrypt_final{};

  private:
    // Of the release whose headers this was built with; all of one number are compatible.
    static std::string soname() { return "libcrypto.so." + std::to_string(OPENSSL_SHLIB_VERSION); }
    template <class Function>
    void find(Function& function, const char* name) {
        function = reinterpret_cast<Function>(::dlsym(library_, name));
        if (function == nullptr) ++missing_;
    }
    void* library_;
    int missing_ = 0;
};

struct FetchedCipher {
    explicit FetchedCipher(const char* name) {
        if (lib.complete()) cipher = lib.cipher_fetch(nullptr, name, nullptr);
    }
    FetchedCipher(const FetchedCipher&) = delete;
    FetchedCipher& operator=(const FetchedCipher&) = delete;
    ~FetchedCipher() {
        if (cipher != nullptr) lib.cipher_free(cipher);
    }
    Libcrypto lib;
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
