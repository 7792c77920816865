#pragma once
// OpenSSL's libcrypto, loaded when it is first wanted: its pages and tables cost a process some 3 MiB. It
// stays loaded. Only in builds that found its headers; for the files of this folder. Safe from any thread.

// SHA256_Init() and its like, which are deprecated for EVP's contexts: to set up one of those costs more than
// to hash a short message.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/evp.h>
#include <openssl/sha.h>

namespace tunnel::tls {

class Libcrypto {
  public:
    // One for the process.
    static const Libcrypto& load();
    // Null until load() was called.
    static const Libcrypto* if_loaded();

    // Whether it was there, with all of its functions that are used for the purpose.
    bool has_ciphers() const { return library_ != nullptr && missing_ciphers_ == 0; }
    bool has_sha256() const { return library_ != nullptr && missing_sha256_ == 0; }

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

    decltype(&SHA256_Init) sha256_init{};
    decltype(&SHA256_Update) sha256_update{};
    decltype(&SHA256_Final) sha256_final{};

  private:
    Libcrypto();
    // False when there is none.
    template <class Function>
    bool find(Function& function, const char* name);
    void* library_;
    int missing_ciphers_ = 0;
    int missing_sha256_ = 0;
};

}  // namespace tunnel::tls
