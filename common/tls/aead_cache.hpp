#pragma once
// Cipher state for the keys in use: an expanded key costs about a kilobyte, so idle connections keep their 16
// or 32 bytes only, and those that move bytes share a few ciphers. A key that finds its place taken is
// expanded anew, which costs less than a microsecond. One thread; outlives what it makes.
//
// libcrypto is several times faster than mbedTLS and costs a process some 3 MiB: it is loaded when so much
// has been sealed and opened here that it is worth that. The heads of plain data connections alone never are.

#include <array>
#include <cstdint>
#include <memory>

#include "common/tls/aead.hpp"

namespace tunnel::tls {

class AeadCache {
  public:
    static constexpr std::size_t worth_loading = 1024 * 1024;
    // Begins with mbedTLS and goes over to the best backend after so many bytes.
    AeadCache();
    // Stays with one backend.
    explicit AeadCache(AeadFactory factory) : factory_(std::move(factory)), settled_(true) {}
    AeadCache(const AeadCache&) = delete;
    AeadCache& operator=(const AeadCache&) = delete;

    // Its cipher state goes, wiped, when another key takes its place or it is destroyed itself.
    std::unique_ptr<Aead> make(Cipher cipher, BytesView key);
    AeadBackend backend() const { return factory_.backend(); }

  private:
    class Lent;
    struct Place {
        std::uint64_t owner = 0;
        Cipher cipher = Cipher::aes_128_gcm;
        std::unique_ptr<Aead> state;
    };
    // For so many bytes, which are counted.
    Aead& expand(std::uint64_t owner, Cipher cipher, BytesView key, std::size_t size);
    void settle();
    void forget(std::uint64_t owner);
    Place& place_of(std::uint64_t owner) { return places_[owner % places_.size()]; }

    AeadFactory factory_;
    bool settled_ = false;
    std::size_t moved_ = 0;  // until it is settled
    std::array<Place, 64> places_;
    std::uint64_t last_ = 0;
};

}  // namespace tunnel::tls
