#include "common/tls/hash.hpp"

#include <mbedtls/md.h>

#include <algorithm>
#include <new>
#include <stdexcept>

#include "common/tls/hmac_backends.hpp"

namespace tunnel::tls {

namespace {

class MessageDigest {
  public:
    enum class Use { hash, hmac };
    explicit MessageDigest(Use use) {
        mbedtls_md_init(&context_);
        // Allocation is the only way in which this can fail.
        if (mbedtls_md_setup(&context_, mbedtls_md_info_from_type(MBEDTLS_MD_SHA256),
                             use == Use::hmac ? 1 : 0) != 0)
            throw std::bad_alloc();
    }
    MessageDigest(const MessageDigest&) = delete;
    MessageDigest& operator=(const MessageDigest&) = delete;
    ~MessageDigest() { mbedtls_md_free(&context_); }  // wipes its state
    mbedtls_md_context_t* get() { return &context_; }

  private:
    mbedtls_md_context_t context_;
};

// `out` may be one of the parts.
void hmac_into(BytesView key, std::initializer_list<BytesView> parts, MutableBytes out) {
    if (hmac_by_libcrypto(key, parts, out)) return;
    MessageDigest digest(MessageDigest::Use::hmac);
    mbedtls_md_hmac_starts(digest.get(), key.data(), key.size());
    for (const BytesView part : parts) mbedtls_md_hmac_update(digest.get(), part.data(), part.size());
    mbedtls_md_hmac_finish(digest.get(), out.data());
}

}  // namespace

Digest sha256(std::initializer_list<BytesView> parts) {
    MessageDigest digest(MessageDigest::Use::hash);
    mbedtls_md_starts(digest.get());
    for (const BytesView part : parts) mbedtls_md_update(digest.get(), part.data(), part.size());
    Digest out;
    mbedtls_md_finish(digest.get(), out.data());
    return out;
}

Digest hmac_sha256(BytesView key, std::initializer_list<BytesView> parts) {
    Digest out;
    hmac_into(key, parts, out);
    return out;
}

Secret hmac_sha256_secret(BytesView key, std::initializer_list<BytesView> parts) {
    Secret out(digest_size);
    hmac_into(key, parts, out.reveal_mutable());
    return out;
}

Secret hkdf_extract(BytesView salt, BytesView input_key) {
    return hmac_sha256_secret(salt, {input_key});
}

Secret hkdf_expand(BytesView key, BytesView info, std::size_t length) {
    if (key.size() < digest_size || length > 255 * digest_size)
        throw std::length_error("hkdf_expand: a key or an output size outside RFC 5869");
    Secret out(length);
    auto rest = out.reveal_mutable();
    Secret block(digest_size);
    BytesView before;
    for (Byte counter = 1; !rest.empty(); ++counter) {
        hmac_into(key, {before, info, BytesView(&counter, 1)}, block.reveal_mutable());
        before = block.reveal();
        const auto taken = std::min(rest.size(), before.size());
        std::copy_n(before.begin(), taken, rest.begin());
        rest = rest.subspan(taken);
    }
    return out;
}

}  // namespace tunnel::tls
