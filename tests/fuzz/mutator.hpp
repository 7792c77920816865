#pragma once
// A small stand-in for libFuzzer's mutations, for builds without it. The same seed gives the same inputs on
// every machine.

#include <cstdint>
#include <random>
#include <vector>

#include "common/core/bytes.hpp"

namespace tunnel::fuzz {

class Mutator {
  public:
    // `corpus` outlives the mutator; pieces of its inputs are spliced into others.
    Mutator(std::uint64_t seed, const std::vector<Bytes>& corpus) : engine_(seed), corpus_(corpus) {}

    // `input` after one to eight changes; at most `max_size` bytes.
    Bytes mutate(Bytes input);
    static constexpr std::size_t max_size = 8192;

  private:
    std::size_t below(std::size_t bound) { return static_cast<std::size_t>(engine_() % bound); }
    void change(Bytes& input);
    void overwrite(Bytes& input);
    void resize(Bytes& input);
    void splice(Bytes& input);

    std::mt19937_64 engine_;
    const std::vector<Bytes>& corpus_;
};

}  // namespace tunnel::fuzz
