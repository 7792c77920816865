#pragma once
// Bytes as the rest of the project sees them: std::uint8_t, owned in Bytes, seen through BytesView.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tunnel {

using Byte = std::uint8_t;
using Bytes = std::vector<Byte>;
using BytesView = std::span<const Byte>;
using MutableBytes = std::span<Byte>;

inline BytesView view_of(std::string_view text) {
    return {reinterpret_cast<const Byte*>(text.data()), text.size()};
}
inline std::string_view text_of(BytesView bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
inline void append(Bytes& to, BytesView from) {
    to.insert(to.end(), from.begin(), from.end());
}

// Big-endian integers on the wire (RFC 1700 network order). The spans are exactly as long as the integer.
void put_be16(MutableBytes out, std::uint16_t value);
void put_be32(MutableBytes out, std::uint32_t value);
void put_be64(MutableBytes out, std::uint64_t value);
std::uint16_t get_be16(BytesView in);
std::uint32_t get_be32(BytesView in);
std::uint64_t get_be64(BytesView in);

// Base64url without padding (RFC 4648 section 5). decode returns false on any character outside the alphabet,
// on an impossible length, and on non-zero trailing bits, so that one value has one spelling.
std::string base64url_encode(BytesView bytes);
bool base64url_decode(std::string_view text, Bytes& out);
std::string hex_encode(BytesView bytes);

}  // namespace tunnel
