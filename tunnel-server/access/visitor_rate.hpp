#pragma once
// How many new visitors a second: in all, and of one address. Sans-I/O, any thread, a fixed amount of memory.

#include <array>
#include <memory>
#include <mutex>
#include <vector>

#include "common/core/address.hpp"
#include "common/core/clock.hpp"
#include "common/core/token_bucket.hpp"

namespace tunnel::server {

class VisitorRate {
  public:
    // Visitors a second, and as many at once after a quiet second; 0: without limit. One address is an IPv4
    // address or an IPv6 /64, which is what one subscriber has (RFC 6177).
    struct Limits {
        std::uint32_t in_all = 0;
        std::uint32_t per_address = 0;
        bool operator==(const Limits&) const = default;
    };
    enum class Verdict { admitted, too_many, too_many_of_address };

    explicit VisitorRate(Limits limits);

    // A visitor of one address that comes too often does not use up what the others have in all.
    Verdict admit(const IpAddress& visitor, TimePoint now);

    const Limits& limits() const { return limits_; }

    // Addresses that are remembered. Where more come within a second, those that have been quiet longest are
    // forgotten first.
    static constexpr std::size_t addresses = 16 * 1024;

  private:
    struct Entry {
        std::uint64_t key = 0;
        std::int64_t full_at = 0;  // nanoseconds of Clock; in the past: as good as empty
    };
    std::uint64_t key_of(const IpAddress& visitor) const;
    bool admit_address(const IpAddress& visitor, TimePoint now);

    const Limits limits_;
    TokenBucket all_;
    std::array<std::uint64_t, 2> seed_;  // so that nobody can choose addresses that push another one out
    std::mutex mutex_;
    std::vector<Entry> entries_;
};

}  // namespace tunnel::server
