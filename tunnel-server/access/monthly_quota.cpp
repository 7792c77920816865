#include "tunnel-server/access/monthly_quota.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace tunnel::server {

namespace {

// What SQLite's integers hold.
constexpr std::uint64_t most_bytes = std::numeric_limits<std::int64_t>::max();

std::chrono::year_month calendar_month(Month month) {
    return std::chrono::year(1970) / 1 + std::chrono::months(month);
}

}  // namespace

Month month_of(WallTime time) {
    const std::chrono::year_month_day day(std::chrono::floor<std::chrono::days>(time));
    const auto since = std::chrono::year_month(day.year(), day.month()) - std::chrono::year(1970) / 1;
    return static_cast<Month>(since.count());
}

std::string month_name(Month month) {
    const auto at = calendar_month(month);
    return fmt::format("{:04}-{:02}", static_cast<int>(at.year()), static_cast<unsigned>(at.month()));
}

WallTime end_of(Month month) {
    return std::chrono::sys_days((calendar_month(month) + std::chrono::months(1)) / 1);
}

MonthlyUse MonthlyQuota::use(WallTime now) const {
    const auto month = month_of(now);
    return month == use_.month ? use_ : MonthlyUse{month, 0, false};
}

bool MonthlyQuota::used_up(WallTime now) const {
    return limit_ != 0 && use(now).bytes >= limit_;
}

MonthlyQuota::Event MonthlyQuota::add(std::uint64_t bytes, WallTime now) {
    const bool renewed = told_used_up_ && month_of(now) != use_.month;
    use_ = use(now);
    use_.bytes += std::min(bytes, most_bytes - use_.bytes);
    if (limit_ != 0 && use_.bytes >= limit_) {
        if (told_used_up_ && !renewed) return Event::none;
        told_used_up_ = true;
        use_.warned = true;
        return Event::used_up;
    }
    // A higher limit made room again.
    const bool again = told_used_up_;
    told_used_up_ = false;
    if (limit_ != 0 && !use_.warned && use_.bytes >= limit_ / 100 * warning_percent) {
        use_.warned = true;
        return Event::warning;
    }
    return renewed || again ? Event::renewed : Event::none;
}

}  // namespace tunnel::server
