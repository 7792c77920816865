#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace tunnel::bench {

// What a download consists of: this block, again and again. Service and visitor make the same block, so a
// visitor can tell at any offset whether the tunnel delivered the right bytes.
constexpr std::size_t kPatternSize = std::size_t{1} << 20U;
using Pattern = std::array<std::uint8_t, kPatternSize>;

std::unique_ptr<Pattern> make_pattern();

// The first byte of a connection.
constexpr std::uint8_t kEcho = 'e';
constexpr std::uint8_t kBulk = 'b';
constexpr std::size_t kBulkRequestSize = 9;  // kBulk and the length, big-endian

}  // namespace tunnel::bench
