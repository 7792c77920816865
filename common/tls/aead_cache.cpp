#include "common/tls/aead_cache.hpp"

#include <algorithm>
#include <new>

#include "common/core/secret.hpp"

namespace tunnel::tls {

class AeadCache::Lent final : public Aead {
  public:
    Lent(AeadCache& cache, std::uint64_t number, std::span<const Byte, aead_key_size> key)
        : cache_(cache), number_(number) {
        std::copy(key.begin(), key.end(), key_.begin());
    }
    Lent(const Lent&) = delete;
    Lent& operator=(const Lent&) = delete;
    ~Lent() override {
        cache_.forget(number_);
        wipe(key_);
    }

    bool seal(Nonce nonce, BytesView aad, BytesView plaintext, MutableBytes out) override {
        return cache_.expand(number_, key_, plaintext.size()).seal(nonce, aad, plaintext, out);
    }
    bool open(Nonce nonce, BytesView aad, BytesView sealed, MutableBytes out) override {
        return cache_.expand(number_, key_, sealed.size()).open(nonce, aad, sealed, out);
    }
    void rekey(std::span<const Byte, aead_key_size> key) override {
        cache_.forget(number_);
        std::copy(key.begin(), key.end(), key_.begin());
    }

  private:
    AeadCache& cache_;
    std::uint64_t number_;
    std::array<Byte, aead_key_size> key_;
};

AeadCache::AeadCache() : factory_(*AeadFactory::of(AeadBackend::mbedtls)) {}

std::unique_ptr<Aead> AeadCache::make(std::span<const Byte, aead_key_size> key) {
    return std::make_unique<Lent>(*this, ++last_, key);
}

void AeadCache::settle() {
    settled_ = true;
    // Of the other backend; what is in use is expanded anew.
    places_ = {};
    factory_ = AeadFactory::best();
}

Aead& AeadCache::expand(std::uint64_t owner, std::span<const Byte, aead_key_size> key, std::size_t size) {
    if (!settled_ && (moved_ += size) > worth_loading) settle();
    auto& place = place_of(owner);
    if (place.owner == owner) return *place.cipher;
    if (place.cipher)
        place.cipher->rekey(key);
    else
        place.cipher = factory_.make(key);
    place.owner = owner;
    return *place.cipher;
}

void AeadCache::forget(std::uint64_t owner) {
    auto& place = place_of(owner);
    if (place.owner != owner) return;
    constexpr std::array<Byte, aead_key_size> nothing{};
    place.cipher->rekey(nothing);
    place.owner = 0;
}

}  // namespace tunnel::tls
