#include <algorithm>
#include <array>

#include "common/core/secret.hpp"
#include "common/tls/hmac_backends.hpp"
#include "common/tls/libcrypto.hpp"

namespace tunnel::tls {

namespace {

constexpr Byte inner_pad = 0x36;
constexpr Byte outer_pad = 0x5c;
using Block = std::array<Byte, SHA256_CBLOCK>;

// Its state is wiped when it goes.
class Sha256 {
  public:
    explicit Sha256(const Libcrypto& lib) : lib_(lib) { lib_.sha256_init(&state_); }
    Sha256(const Sha256&) = delete;
    Sha256& operator=(const Sha256&) = delete;
    ~Sha256() { wipe(MutableBytes(reinterpret_cast<Byte*>(&state_), sizeof state_)); }
    void update(BytesView bytes) { lib_.sha256_update(&state_, bytes.data(), bytes.size()); }
    void finish(MutableBytes out) { lib_.sha256_final(out.data(), &state_); }

  private:
    const Libcrypto& lib_;
    SHA256_CTX state_;
};

Block padded(const Block& key, Byte pad) {
    Block out;
    std::transform(key.begin(), key.end(), out.begin(),
                   [pad](Byte byte) { return static_cast<Byte>(byte ^ pad); });
    return out;
}

}  // namespace

// RFC 2104 section 2.
bool hmac_by_libcrypto(BytesView key, std::initializer_list<BytesView> parts, MutableBytes out) {
    const auto* lib = Libcrypto::if_loaded();
    if (lib == nullptr || !lib->has_sha256()) return false;
    Block block{};
    if (key.size() > block.size()) {
        Sha256 hash(*lib);
        hash.update(key);
        hash.finish(block);
    } else {
        std::copy(key.begin(), key.end(), block.begin());
    }
    auto inner_key = padded(block, inner_pad);
    auto outer_key = padded(block, outer_pad);
    Sha256 inner(*lib);
    inner.update(inner_key);
    for (const BytesView part : parts) inner.update(part);
    inner.finish(out);
    Sha256 outer(*lib);
    outer.update(outer_key);
    outer.update(out.first(SHA256_DIGEST_LENGTH));
    outer.finish(out);
    for (auto* secret : {&block, &inner_key, &outer_key}) wipe(*secret);
    return true;
}

}  // namespace tunnel::tls
