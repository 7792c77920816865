#pragma once
// Bytes that follow from a seed and their place in a stream, so that a receiver notices the first one that is
// lost, doubled, reordered or altered without a copy of what was sent.

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "common/core/bytes.hpp"

namespace tunnel::net::test {

class Pattern {
  public:
    explicit Pattern(std::uint64_t seed) : seed_(seed) {}

    void fill(MutableBytes out, std::uint64_t offset) const {
        for (auto& byte : out) byte = at(offset++);
    }
    bool matches(BytesView bytes, std::uint64_t offset) const {
        return std::all_of(bytes.begin(), bytes.end(), [&](Byte byte) { return byte == at(offset++); });
    }
    Byte at(std::uint64_t offset) const {
        if (offset / 8 != word_number_) {
            word_number_ = offset / 8;
            word_ = mix(seed_ + word_number_ * 0x9e3779b97f4a7c15u);
        }
        return static_cast<Byte>(word_ >> (offset % 8 * 8));
    }

  private:
    // splitmix64's finalizer.
    static std::uint64_t mix(std::uint64_t z) {
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        return z ^ (z >> 31);
    }

    std::uint64_t seed_;
    mutable std::uint64_t word_number_ = ~std::uint64_t{0};
    mutable std::uint64_t word_ = 0;
};

}  // namespace tunnel::net::test
