#pragma once
// The first 8 bytes each end sends on a control connection, inside TLS and before any frame:
//   "TNLC"  u16 oldest version it speaks  u16 newest version it speaks      (big-endian)
// This layout never changes, so that any two releases can at least tell each other apart.

#include <array>
#include <cstdint>
#include <string_view>

#include "common/core/bytes.hpp"
#include "common/core/result.hpp"

namespace tunnel::wire {

constexpr std::size_t hello_size = 8;

struct Versions {
    std::uint16_t oldest = 1;
    std::uint16_t newest = 1;
    bool operator==(const Versions&) const = default;
};
constexpr Versions our_versions{};

enum class End { server, client };

std::array<Byte, hello_size> encode_hello(Versions versions = our_versions);
// `bytes` is exactly hello_size long. Errc::protocol when it is no hello.
Result<Versions> decode_hello(BytesView bytes);

// The version both speak. Errc::version with a sentence that names the end to upgrade.
Result<std::uint16_t> agree(End our_end, Versions ours, Versions theirs);

}  // namespace tunnel::wire
