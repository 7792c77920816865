#include "tests/bench/load/pattern.hpp"

namespace tunnel::bench {

std::unique_ptr<Pattern> make_pattern() {
    auto pattern = std::make_unique<Pattern>();
    std::uint64_t state = 0x9e3779b97f4a7c15U;  // xorshift64: no two places of the block look alike
    for (auto& byte : *pattern) {
        state ^= state << 13U;
        state ^= state >> 7U;
        state ^= state << 17U;
        byte = static_cast<std::uint8_t>(state >> 32U);
    }
    return pattern;
}

}  // namespace tunnel::bench
