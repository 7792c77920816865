#include "common/wire/mtu_search.hpp"

#include <algorithm>
#include <array>

namespace tunnel::wire {

namespace {

// What common links carry: PPPoE and tunnels, Ethernet over IPv6 and IPv4, jumbo frames, loopback. Tried
// first, so that a usual path is known after a few probes.
constexpr std::array<std::size_t, 6> usual{1392, 1452, 1472, 8952, 16'384, 65'507};

}  // namespace

std::size_t MtuSearch::next_size() const {
    for (const auto size : usual) {
        if (size > passes_ && size <= largest_ && (fails_ == 0 || size < fails_)) return size;
    }
    const auto end = fails_ == 0 ? largest_ + 1 : fails_;
    if (end <= passes_ + precision) return 0;
    return passes_ + (end - passes_) / 2;
}

std::optional<std::size_t> MtuSearch::probe(TimePoint now) {
    if (probing_ != 0) {
        if (now - sent_ < probe_timeout) return std::nullopt;
        if (tries_ >= most_tries) failed(probing_);
    }
    if (settled_ && now - settled_at_ >= raise_every) {
        settled_ = false;
        fails_ = 0;
    }
    if (probing_ == 0) {
        if (settled_ && now - sent_ < confirm_every) return std::nullopt;
        probing_ = settled_ ? passes_ : next_size();
        tries_ = 0;
        if (probing_ == 0) {
            settled_ = true;
            settled_at_ = sent_ = now;
            return std::nullopt;
        }
    }
    ++tries_;
    sent_ = now;
    return probing_;
}

void MtuSearch::passed(std::size_t size, TimePoint now) {
    if (size > largest_) return;
    passes_ = std::max(passes_, size);
    if (fails_ != 0 && fails_ <= passes_) fails_ = 0;
    if (size < probing_) return;
    probing_ = 0;
    if (settled_) return;
    if (next_size() == 0) {
        settled_ = true;
        settled_at_ = sent_ = now;
    }
}

void MtuSearch::failed(std::size_t size) {
    probing_ = 0;
    // Where not even that passes nothing does, which says nothing about sizes.
    if (size <= base) return;
    if (size <= passes_) {
        // What passed once does not any more: a black hole (RFC 8899 section 4.3).
        passes_ = base;
        settled_ = false;
    }
    fails_ = size;
}

void MtuSearch::refused(std::size_t size) {
    if (size > base) failed(size);
}

void MtuSearch::restart() {
    *this = MtuSearch(largest_);
}

}  // namespace tunnel::wire
