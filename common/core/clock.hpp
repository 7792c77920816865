#pragma once
// Time as the project sees it. Sans-I/O code is handed `now` and never asks a clock.

#include <chrono>
#include <string>
#include <string_view>

#include "common/core/result.hpp"

namespace tunnel {

using Clock = std::chrono::steady_clock;
using TimePoint = Clock::time_point;
using Millis = std::chrono::milliseconds;
using Seconds = std::chrono::seconds;
using WallTime = std::chrono::system_clock::time_point;

// "500ms", "15s", "10m", "2h", "30d"; a number and one unit. Errors name the text and the units.
Result<Millis> parse_duration(std::string_view text);
// The shortest spelling parse_duration takes back: 15000 ms -> "15s".
std::string format_duration(Millis duration);

// UTC, ISO 8601 to the second: 2026-11-21T20:31:10Z.
std::string format_utc(WallTime time);
// "2027-01-31" (the end of that day, UTC), a full "2027-01-31T12:00:00Z", or a duration from `now`. From 1970
// to a century after `now`; a time in the past is accepted.
Result<WallTime> parse_expiry(std::string_view text, WallTime now);

// 1536 -> "1.5 KiB"; exact below 1 KiB.
std::string format_bytes(std::uint64_t bytes);

}  // namespace tunnel
