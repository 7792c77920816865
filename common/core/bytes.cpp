#include "common/core/bytes.hpp"

#include <array>
#include <cstddef>

namespace tunnel {

namespace {

template <class T>
void put_be(MutableBytes out, T value) {
    for (std::size_t i = 0; i < sizeof(T); ++i)
        out[i] = static_cast<Byte>(value >> (8 * (sizeof(T) - 1 - i)));
}

template <class T>
T get_be(BytesView in) {
    T value = 0;
    for (std::size_t i = 0; i < sizeof(T); ++i) value = static_cast<T>((value << 8) | in[i]);
    return value;
}

constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

constexpr std::array<std::int8_t, 256> reverse_alphabet = [] {
    std::array<std::int8_t, 256> table{};
    table.fill(-1);
    for (std::size_t i = 0; i < alphabet.size(); ++i)
        table[static_cast<unsigned char>(alphabet[i])] = static_cast<std::int8_t>(i);
    return table;
}();

}  // namespace

void put_be16(MutableBytes out, std::uint16_t value) {
    put_be(out, value);
}
void put_be32(MutableBytes out, std::uint32_t value) {
    put_be(out, value);
}
void put_be64(MutableBytes out, std::uint64_t value) {
    put_be(out, value);
}
std::uint16_t get_be16(BytesView in) {
    return get_be<std::uint16_t>(in);
}
std::uint32_t get_be32(BytesView in) {
    return get_be<std::uint32_t>(in);
}
std::uint64_t get_be64(BytesView in) {
    return get_be<std::uint64_t>(in);
}

std::string base64url_encode(BytesView bytes) {
    std::string out;
    out.reserve((bytes.size() * 4 + 2) / 3);
    std::uint32_t acc = 0;
    int bits = 0;
    for (Byte b : bytes) {
        acc = (acc << 8) | b;
        for (bits += 8; bits >= 6;) {
            bits -= 6;
            out.push_back(alphabet[(acc >> bits) & 63]);
        }
    }
    if (bits > 0) out.push_back(alphabet[(acc << (6 - bits)) & 63]);
    return out;
}

bool base64url_decode(std::string_view text, Bytes& out) {
    if (text.size() % 4 == 1) return false;
    out.clear();
    out.reserve(text.size() * 3 / 4);
    std::uint32_t acc = 0;
    int bits = 0;
    for (char c : text) {
        const auto digit = reverse_alphabet[static_cast<unsigned char>(c)];
        if (digit < 0) return false;
        acc = (acc << 6) | static_cast<std::uint32_t>(digit);
        if (bits += 6; bits >= 8) {
            bits -= 8;
            out.push_back(static_cast<Byte>(acc >> bits));
        }
    }
    return (acc & ((1U << bits) - 1)) == 0;
}

std::string hex_encode(BytesView bytes) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string out;
    out.reserve(bytes.size() * 2);
    for (Byte b : bytes) {
        out.push_back(digits[b >> 4]);
        out.push_back(digits[b & 15]);
    }
    return out;
}

}  // namespace tunnel
