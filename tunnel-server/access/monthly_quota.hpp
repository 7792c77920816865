#pragma once
// How many bytes a month: counts them, warns when most are used, says when they are. Months are UTC's, so
// that every machine agrees when one ends. Sans-I/O, one thread.

#include <cstdint>
#include <string>

#include "common/core/clock.hpp"

namespace tunnel::server {

// Months since January 1970.
using Month = std::int32_t;
Month month_of(WallTime time);
// "2026-11"
std::string month_name(Month month);
// The first moment after that month.
WallTime end_of(Month month);

// What is kept across restarts.
struct MonthlyUse {
    Month month = 0;
    std::uint64_t bytes = 0;
    bool warned = false;
    bool operator==(const MonthlyUse&) const = default;
};

class MonthlyQuota {
  public:
    enum class Event {
        none,
        warning,  // the threshold was passed; told once a month
        used_up,  // the limit was passed; told once a month
        renewed,  // it had been used up and is no longer: a new month, or a higher limit
    };

    MonthlyQuota() = default;
    explicit MonthlyQuota(MonthlyUse use) : use_(use) {}

    // 0: without limit. A higher limit takes effect at once, and so does a lower one.
    void set_limit(std::uint64_t bytes) { limit_ = bytes; }
    std::uint64_t limit() const { return limit_; }

    Event add(std::uint64_t bytes, WallTime now);
    // What was used up in a month that is over counts no longer.
    bool used_up(WallTime now) const;
    MonthlyUse use(WallTime now) const;

    static constexpr unsigned warning_percent = 80;

  private:
    std::uint64_t limit_ = 0;
    MonthlyUse use_;
    bool told_used_up_ = false;
};

}  // namespace tunnel::server
