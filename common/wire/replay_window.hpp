#pragma once
// Which counters of a direction's packets were seen: each is accepted once, and none that lies further behind
// the newest than the window is wide. The ring of RFC 6479: moving on clears whole words, nothing is shifted.

#include <array>
#include <cstdint>

namespace tunnel::wire {

class ReplayWindow {
    static constexpr std::uint64_t word_bits = 64;
    static constexpr std::uint64_t words = 64;

  public:
    // One word is always being cleared ahead.
    static constexpr std::uint64_t width = (words - 1) * word_bits;  // 4032

    // Whether accept() would take it. For asking before a packet is opened.
    bool fresh(std::uint64_t counter) const {
        if (!any_ || counter > newest_) return true;
        return newest_ - counter < width && (word_of(counter) & bit_of(counter)) == 0;
    }
    // Notes the counter of a packet that has been authenticated; false when it was seen or is too old.
    bool accept(std::uint64_t counter) {
        if (!fresh(counter)) return false;
        const auto at = counter / word_bits;
        const auto now = any_ ? newest_ / word_bits : at;
        if (!any_ || counter > newest_) {
            const auto steps = at - now;
            for (std::uint64_t i = 1; i <= steps && i <= words; ++i) ring_[(now + i) % words] = 0;
            newest_ = counter;
            any_ = true;
        }
        ring_[at % words] |= bit_of(counter);
        return true;
    }

  private:
    std::uint64_t word_of(std::uint64_t counter) const { return ring_[counter / word_bits % words]; }
    static std::uint64_t bit_of(std::uint64_t counter) { return std::uint64_t{1} << (counter % word_bits); }

    std::array<std::uint64_t, words> ring_{};
    std::uint64_t newest_ = 0;
    bool any_ = false;
};

}  // namespace tunnel::wire
