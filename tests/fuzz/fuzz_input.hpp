#pragma once
// What every fuzz target needs: to take decisions from the front of its input, and to say that a promise of
// the code under test was broken.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "common/core/bytes.hpp"

namespace tunnel::fuzz {

// Ends the program, which is how libFuzzer and the replay learn that an input is a finding. Kept in every
// build.
inline void require(bool holds, const char* promise) {
    if (holds) return;
    std::fprintf(stderr, "broken promise: %s\n", promise);
    std::abort();
}

class FuzzInput {
  public:
    FuzzInput(const std::uint8_t* data, std::size_t size) : rest_(data, size) {}

    bool empty() const { return rest_.empty(); }
    // 0 when nothing is left.
    Byte byte() {
        const auto taken = take(1);
        return taken.empty() ? Byte{0} : taken[0];
    }
    // At most `size` bytes, fewer at the end.
    BytesView take(std::size_t size) {
        const auto taken = rest_.first(std::min(size, rest_.size()));
        rest_ = rest_.subspan(taken.size());
        return taken;
    }
    BytesView take_rest() { return take(rest_.size()); }

  private:
    BytesView rest_;
};

// Hands `stream` over in pieces whose sizes `plan` names, byte by byte around; whole when the plan is empty.
// `consume` returns false to stop.
template <class Consume>
void in_pieces(BytesView stream, BytesView plan, Consume consume) {
    for (std::size_t i = 0; !stream.empty(); ++i) {
        const std::size_t wanted = plan.empty() ? stream.size() : std::size_t{1} + plan[i % plan.size()];
        const auto piece = stream.first(std::min(wanted, stream.size()));
        stream = stream.subspan(piece.size());
        if (!consume(piece)) return;
    }
}

}  // namespace tunnel::fuzz
