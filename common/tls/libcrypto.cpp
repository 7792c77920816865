#include "common/tls/libcrypto.hpp"

#include <dlfcn.h>
#include <openssl/opensslv.h>

#include <atomic>
#include <string>

namespace tunnel::tls {

namespace {

std::atomic<const Libcrypto*> loaded{nullptr};

// Of the release whose headers this was built with; all of one number are compatible.
std::string soname() {
    return "libcrypto.so." + std::to_string(OPENSSL_SHLIB_VERSION);
}

}  // namespace

template <class Function>
bool Libcrypto::find(Function& function, const char* name) {
    function = reinterpret_cast<Function>(::dlsym(library_, name));
    return function != nullptr;
}

Libcrypto::Libcrypto() : library_(::dlopen(soname().c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE)) {
    if (library_ == nullptr) return;
    const auto cipher = [this](auto& function, const char* name) {
        missing_ciphers_ += find(function, name) ? 0 : 1;
    };
    cipher(cipher_fetch, "EVP_CIPHER_fetch");
    cipher(cipher_free, "EVP_CIPHER_free");
    cipher(context_new, "EVP_CIPHER_CTX_new");
    cipher(context_free, "EVP_CIPHER_CTX_free");
    cipher(control, "EVP_CIPHER_CTX_ctrl");
    cipher(encrypt_init, "EVP_EncryptInit_ex2");
    cipher(encrypt_update, "EVP_EncryptUpdate");
    cipher(encrypt_final, "EVP_EncryptFinal_ex");
    cipher(decrypt_init, "EVP_DecryptInit_ex2");
    cipher(decrypt_update, "EVP_DecryptUpdate");
    cipher(decrypt_final, "EVP_DecryptFinal_ex");
    const auto sha256 = [this](auto& function, const char* name) {
        missing_sha256_ += find(function, name) ? 0 : 1;
    };
    sha256(sha256_init, "SHA256_Init");
    sha256(sha256_update, "SHA256_Update");
    sha256(sha256_final, "SHA256_Final");
}

const Libcrypto& Libcrypto::load() {
    static const Libcrypto library;
    loaded.store(&library, std::memory_order_release);
    return library;
}

const Libcrypto* Libcrypto::if_loaded() {
    return loaded.load(std::memory_order_acquire);
}

}  // namespace tunnel::tls
