#include "tests/unit/common/wire/seeded_random.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>

namespace tunnel::wire {

namespace {

std::uint64_t choose_seed() {
    const char* given = std::getenv("TUNNEL_TEST_SEED");
    if (given != nullptr) return std::strtoull(given, nullptr, 10);
    std::random_device device;
    return (static_cast<std::uint64_t>(device()) << 32) | device();
}

std::string utf8(std::uint32_t code_point) {
    const auto tail = [&](int shift) { return static_cast<char>(0x80 | ((code_point >> shift) & 0x3f)); };
    const auto head = [&](std::uint32_t mark, int shift) {
        return static_cast<char>(mark | (code_point >> shift));
    };
    if (code_point < 0x80) return {head(0, 0)};
    if (code_point < 0x800) return {head(0xc0, 6), tail(0)};
    if (code_point < 0x10000) return {head(0xe0, 12), tail(6), tail(0)};
    return {head(0xf0, 18), tail(12), tail(6), tail(0)};
}

}  // namespace

SeededRandom::SeededRandom() : seed_(choose_seed()), engine_(seed_) {
    std::cout << "random seed " << seed_ << " (replay with TUNNEL_TEST_SEED=" << seed_ << ")\n";
}

Bytes SeededRandom::bytes(std::size_t size) {
    Bytes out(size);
    for (auto& byte : out) byte = static_cast<Byte>(engine_());
    return out;
}

std::string SeededRandom::text(std::size_t max_size) {
    const std::size_t wanted = below(max_size + 1);
    std::string out;
    for (;;) {
        constexpr std::uint32_t ends[] = {0x80, 0x800, 0xd800, 0x110000};
        auto code_point = static_cast<std::uint32_t>(below(ends[below(4)]));
        if (code_point >= 0xd800 && code_point < 0xe000) code_point = 0xfffd;  // surrogates are no characters
        const auto character = utf8(code_point);
        if (out.size() + character.size() > wanted) return out;
        out += character;
    }
}

}  // namespace tunnel::wire
