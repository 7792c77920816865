#pragma once
// Bytes for the tests of this folder: from hex, and from a seed that is printed when a test fails.

#include <gtest/gtest.h>

#include <cstdlib>
#include <random>
#include <string>
#include <string_view>

#include "common/core/bytes.hpp"
#include "common/core/secret.hpp"

namespace tunnel::tls::test {

inline Bytes from_hex(std::string_view hex) {
    Bytes out;
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
        out.push_back(static_cast<Byte>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16)));
    return out;
}

// first, first + 1, ... : the recognisable inputs of the fixed vectors.
inline Bytes counting(std::size_t size, Byte first = 0) {
    Bytes out(size);
    for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<Byte>(first + i);
    return out;
}

// Differs on every run; TUNNEL_TEST_SEED=N replays the run whose failure printed N.
class Random {
  public:
    Random() : seed_(choose_seed()), engine_(seed_), trace_(__FILE__, __LINE__, message()) {}
    std::size_t between(std::size_t least, std::size_t most) {
        return std::uniform_int_distribution<std::size_t>(least, most)(engine_);
    }
    Bytes bytes(std::size_t size) {
        Bytes out(size);
        for (Byte& byte : out) byte = static_cast<Byte>(engine_());
        return out;
    }

  private:
    static std::uint64_t choose_seed() {
        const char* given = std::getenv("TUNNEL_TEST_SEED");
        return given != nullptr ? std::stoull(given) : random_u64();
    }
    std::string message() const { return "replay with TUNNEL_TEST_SEED=" + std::to_string(seed_); }
    std::uint64_t seed_;
    std::mt19937_64 engine_;
    testing::ScopedTrace trace_;
};

}  // namespace tunnel::tls::test
