#include "common/tls/aead_cache.hpp"

#include <algorithm>
#include <utility>

#include "common/core/secret.hpp"

namespace tunnel::tls {

class AeadCache::Lent final : public Aead {
  public:
    Lent(AeadCache& cache, Cipher cipher, BytesView key) : cache_(cache), cipher_(cipher) { set_key(key); }
    Lent(const Lent&) = delete;
    Lent& operator=(const Lent&) = delete;
    ~Lent() override {
        cache_.forget(*this);
        wipe(key_);
    }

    bool seal(Nonce nonce, BytesView aad, BytesView plaintext, MutableBytes out) override {
        return cache_.expand(*this, plaintext.size()).seal(nonce, aad, plaintext, out);
    }
    bool open(Nonce nonce, BytesView aad, BytesView sealed, MutableBytes out) override {
        return cache_.expand(*this, sealed.size()).open(nonce, aad, sealed, out);
    }
    void rekey(BytesView key) override {
        cache_.forget(*this);
        set_key(key);
    }

    Cipher cipher() const { return cipher_; }
    BytesView key() const { return BytesView(key_).first(aead_key_size(cipher_)); }
    std::size_t place = 0;  // that it had last

  private:
    void set_key(BytesView key) { std::copy_n(key.begin(), aead_key_size(cipher_), key_.begin()); }

    AeadCache& cache_;
    Cipher cipher_;
    std::array<Byte, max_aead_key_size> key_{};
};

AeadCache::AeadCache(AeadFactory factory, bool settled) : factory_(std::move(factory)), settled_(settled) {
    empty_places();
}

void AeadCache::empty_places() {
    places_ = {};
    unused_.clear();
    for (auto place = places_.size(); place > 0; --place) unused_.push_back(place - 1);
}

std::unique_ptr<Aead> AeadCache::make(Cipher cipher, BytesView key) {
    return std::make_unique<Lent>(*this, cipher, key);
}

void AeadCache::settle() {
    settled_ = true;
    // Of the other backend; what is in use is expanded anew.
    empty_places();
    factory_ = AeadFactory::best();
}

std::size_t AeadCache::take_place() {
    if (unused_.empty()) return next_taken_over_++ % places_.size();
    const auto place = unused_.back();
    unused_.pop_back();
    return place;
}

Aead& AeadCache::expand(Lent& owner, std::size_t size) {
    if (!settled_ && (moved_ += size) > worth_loading) settle();
    if (places_[owner.place].owner == &owner) return *places_[owner.place].state;
    owner.place = take_place();
    auto& place = places_[owner.place];
    if (place.state && place.cipher == owner.cipher())
        place.state->rekey(owner.key());
    else
        place.state = factory_.make(owner.cipher(), owner.key());
    place.cipher = owner.cipher();
    place.owner = &owner;
    place.wiped = false;
    return *place.state;
}

void AeadCache::forget(const Lent& owner) {
    auto& place = places_[owner.place];
    if (place.owner != &owner) return;
    place.owner = nullptr;
    unused_.push_back(owner.place);
}

void AeadCache::wipe_unused() {
    constexpr std::array<Byte, max_aead_key_size> nothing{};
    for (auto& place : places_) {
        if (place.owner != nullptr || std::exchange(place.wiped, true)) continue;
        place.state->rekey(BytesView(nothing).first(aead_key_size(place.cipher)));
    }
}

}  // namespace tunnel::tls
