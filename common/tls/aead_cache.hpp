#pragma once
// Cipher state for the keys in use: an expanded key costs about a kilobyte, so idle connections keep their 16
// or 32 bytes only, and those that move bytes share a few ciphers. A key that finds its place taken is
// expanded anew, which costs less than a microsecond. One thread; outlives what it makes.

#include <array>
#include <cstdint>
#include <memory>

#include "common/tls/aead.hpp"

namespace tunnel::tls {

class AeadCache {
  public:
    explicit AeadCache(AeadFactory factory) : factory_(std::move(factory)) {}
    AeadCache(const AeadCache&) = delete;
    AeadCache& operator=(const AeadCache&) = delete;

    // Its cipher state goes, wiped, when another key takes its place or it is destroyed itself.
    std::unique_ptr<Aead> make(Cipher cipher, BytesView key);

  private:
    class Lent;
    struct Place {
        std::uint64_t owner = 0;
        Cipher cipher = Cipher::aes_128_gcm;
        std::unique_ptr<Aead> state;
    };
    Aead& expand(std::uint64_t owner, Cipher cipher, BytesView key);
    void forget(std::uint64_t owner);
    Place& place_of(std::uint64_t owner) { return places_[owner % places_.size()]; }

    AeadFactory factory_;
    std::array<Place, 64> places_;
    std::uint64_t last_ = 0;
};

}  // namespace tunnel::tls
