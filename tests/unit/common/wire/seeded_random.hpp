#pragma once
// Random input of the wire tests: everything comes from one seed, printed by each test that uses it.
// TUNNEL_TEST_SEED=N in the environment replays a run.

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>

#include "common/core/bytes.hpp"

namespace tunnel::wire {

class SeededRandom {
  public:
    SeededRandom();
    std::uint64_t seed() const { return seed_; }

    std::uint64_t number() { return engine_(); }
    // 0 .. bound - 1
    std::size_t below(std::size_t bound) { return static_cast<std::size_t>(engine_() % bound); }
    bool coin() { return below(2) == 1; }
    Bytes bytes(std::size_t size);
    // Valid UTF-8 of at most `max_size` bytes: one to four byte characters, NUL and controls among them.
    std::string text(std::size_t max_size);

  private:
    std::uint64_t seed_;
    std::mt19937_64 engine_;
};

}  // namespace tunnel::wire
