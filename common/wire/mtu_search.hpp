#pragma once
// How large a packet may be on a path: packetization layer path MTU discovery (RFC 8899) as a state machine
// that is told what was answered and asked what to probe. Sizes are UDP payloads. Nothing relies on ICMP.

#include <cstdint>
#include <optional>

#include "common/core/clock.hpp"

namespace tunnel::wire {

class MtuSearch {
  public:
    // Passes on every path that is of use: IPv6's least MTU (RFC 8200 section 5) has room for it.
    static constexpr std::size_t base = 1200;
    static constexpr int most_tries = 3;
    static constexpr Millis probe_timeout{500};
    // While packets flow the size in force is probed this often, in case the path has changed.
    static constexpr Seconds confirm_every{5};
    // After this time a larger size is looked for again.
    static constexpr Seconds raise_every{600};
    // The search ends when what is known to pass and what is not are this near to each other.
    static constexpr std::size_t precision = 16;

    // `largest`: what the socket takes at most.
    explicit MtuSearch(std::size_t largest) : largest_(largest) {}

    // The largest packet known to pass.
    std::size_t packet_size() const { return passes_; }
    // The size of the probe to send now, if it is time for one. Asked for now and then while the path is
    // usable.
    std::optional<std::size_t> probe(TimePoint now);
    // A probe of this size was answered.
    void passed(std::size_t size, TimePoint now);
    // The system refused to send a packet of this size (EMSGSIZE).
    void refused(std::size_t size);
    // Another path, so all is unknown again.
    void restart();
    bool searching() const { return !settled_; }

  private:
    std::size_t next_size() const;
    void failed(std::size_t size);

    std::size_t largest_;
    std::size_t passes_ = base;
    std::size_t fails_ = 0;  // the smallest size known not to pass; 0: none
    std::size_t probing_ = 0;
    int tries_ = 0;
    bool settled_ = false;
    TimePoint sent_{};
    TimePoint settled_at_{};
};

}  // namespace tunnel::wire
