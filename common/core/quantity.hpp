#pragma once
// Amounts of data and speeds as people write them.

#include <cstdint>
#include <string>
#include <string_view>

#include "common/core/result.hpp"

namespace tunnel {

// Bytes: "500GB", "64KiB", "1TB"; a whole number and one of B, KB, MB, GB, TB (thousands) and KiB, MiB, GiB,
// TiB (1024). At most 2^62. Errors name the text and the units.
Result<std::uint64_t> parse_size(std::string_view text);
// The shortest spelling that parse_size takes back exactly: 65536 -> "64KiB".
std::string format_size(std::uint64_t bytes);

// Bytes a second: "100Mbit" (bits, as lines are sold: bit, kbit, Mbit, Gbit) or "5MiB" (bytes, as above). At
// least 1 KB a second, so that a mistyped unit does not stop everything.
Result<std::uint64_t> parse_speed(std::string_view text);
// The shortest spelling that parse_speed takes back exactly: 12500000 -> "100Mbit".
std::string format_speed(std::uint64_t bytes_per_second);

}  // namespace tunnel
