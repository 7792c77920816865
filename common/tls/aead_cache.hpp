#pragma once
// Cipher state for the keys in use: an expanded key costs about a kilobyte, so idle connections keep their 16
// or 32 bytes only, and those that move bytes share a few ciphers. A key that finds its place taken is
// expanded anew, which costs less than a microsecond. One thread; outlives what it makes.
//
// libcrypto is several times faster than mbedTLS and costs a process some 3 MiB: it is loaded when so much
// has been sealed and opened here that it is worth that. The heads of plain data connections alone are after
// some thousand visitors.

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "common/tls/aead.hpp"

namespace tunnel::tls {

class AeadCache {
  public:
    static constexpr std::size_t worth_loading = 1024 * 1024;
    // Begins with mbedTLS and goes over to the best backend after so many bytes.
    AeadCache() : AeadCache(*AeadFactory::of(AeadBackend::mbedtls), false) {}
    // Stays with one backend.
    explicit AeadCache(AeadFactory factory) : AeadCache(std::move(factory), true) {}
    AeadCache(const AeadCache&) = delete;
    AeadCache& operator=(const AeadCache&) = delete;

    // Its cipher state is overwritten when another key takes its place. The place of one that is destroyed or
    // has another key is the next to be taken; until then wipe_unused() overwrites it.
    std::unique_ptr<Aead> make(Cipher cipher, BytesView key);
    // Called from time to time.
    void wipe_unused();
    AeadBackend backend() const { return factory_.backend(); }

  private:
    class Lent;
    struct Place {
        const Lent* owner = nullptr;
        Cipher cipher = Cipher::aes_128_gcm;
        bool wiped = true;
        std::unique_ptr<Aead> state;
    };
    AeadCache(AeadFactory factory, bool settled);
    // For so many bytes, which are counted.
    Aead& expand(Lent& owner, std::size_t size);
    std::size_t take_place();
    void settle();
    void empty_places();
    void forget(const Lent& owner);

    AeadFactory factory_;
    bool settled_;
    std::size_t moved_ = 0;  // until it is settled
    std::array<Place, 64> places_;
    std::vector<std::size_t>
        unused_;  // the last is the next to be taken: the processor's caches still have it
    std::size_t next_taken_over_ = 0;
};

}  // namespace tunnel::tls
