#include "common/tls/aead_cache.hpp"

#include <algorithm>
#include <new>

#include "common/core/secret.hpp"

namespace tunnel::tls {

class AeadCache::Lent final : public Aead {
  public:
    Lent(AeadCache& cache, std::uint64_t number, Cipher cipher, BytesView key)
        : cache_(cache), number_(number), cipher_(cipher) {
        std::copy_n(key.begin(), aead_key_size(cipher), key_.begin());
    }
    Lent(const Lent&) = delete;
    Lent& operator=(const Lent&) = delete;
    ~Lent() override {
        cache_.forget(number_);
        wipe(key_);
    }

    bool seal(Nonce nonce, BytesView aad, BytesView plaintext, MutableBytes out) override {
        return expanded(plaintext.size()).seal(nonce, aad, plaintext, out);
    }
    bool open(Nonce nonce, BytesView aad, BytesView sealed, MutableBytes out) override {
        return expanded(sealed.size()).open(nonce, aad, sealed, out);
    }
    void rekey(BytesView key) override {
        cache_.forget(number_);
        std::copy_n(key.begin(), aead_key_size(cipher_), key_.begin());
    }

  private:
    Aead& expanded(std::size_t size) {
        return cache_.expand(number_, cipher_, BytesView(key_).first(aead_key_size(cipher_)), size);
    }

    AeadCache& cache_;
    std::uint64_t number_;
    Cipher cipher_;
    std::array<Byte, max_aead_key_size> key_{};
};

AeadCache::AeadCache() : factory_(*AeadFactory::of(AeadBackend::mbedtls)) {}

std::unique_ptr<Aead> AeadCache::make(Cipher cipher, BytesView key) {
    return std::make_unique<Lent>(*this, ++last_, cipher, key);
}

void AeadCache::settle() {
    settled_ = true;
    // Of the other backend; what is in use is expanded anew.
    places_ = {};
    factory_ = AeadFactory::best();
}

Aead& AeadCache::expand(std::uint64_t owner, Cipher cipher, BytesView key, std::size_t size) {
    if (!settled_ && (moved_ += size) > worth_loading) settle();
    auto& place = place_of(owner);
    if (place.owner == owner) return *place.state;
    if (place.state && place.cipher == cipher)
        place.state->rekey(key);
    else
        place.state = factory_.make(cipher, key);
    place.cipher = cipher;
    place.owner = owner;
    return *place.state;
}

void AeadCache::forget(std::uint64_t owner) {
    auto& place = place_of(owner);
    if (place.owner != owner) return;
    constexpr std::array<Byte, max_aead_key_size> nothing{};
    place.state->rekey(BytesView(nothing).first(aead_key_size(place.cipher)));
    place.owner = 0;
}

}  // namespace tunnel::tls
