#include "common/core/clock.hpp"

#include <array>
#include <charconv>
#include <ctime>
#include <limits>
#include <optional>
#include <utility>

namespace tunnel {

namespace {

constexpr std::array<std::pair<std::string_view, std::int64_t>, 5> units{
    {{"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}}};

// A century: beyond it a typing error is likelier than a wish, and the nanoseconds of WallTime end in 2262.
constexpr auto longest_expiry = std::chrono::hours(24 * 36'500);

// The whole text in that format, and a day that the calendar has: timegm(3) turns February 30 into March 2.
std::optional<std::time_t> read_utc(const std::string& text, const char* format) {
    std::tm read{};
    const char* end = ::strptime(text.c_str(), format, &read);
    if (end == nullptr || end != text.c_str() + text.size()) return std::nullopt;
    std::tm normal = read;
    const std::time_t seconds = ::timegm(&normal);
    if (normal.tm_mday != read.tm_mday || normal.tm_sec != read.tm_sec) return std::nullopt;
    return seconds;
}

}  // namespace

Result<Millis> parse_duration(std::string_view text) {
    std::int64_t count = 0;
    const auto [rest, ec] = std::from_chars(text.data(), text.data() + text.size(), count);
    const std::string_view unit(rest, static_cast<std::size_t>(text.data() + text.size() - rest));
    if (ec == std::errc() && count >= 0) {
        for (const auto& [name, millis] : units) {
            if (unit == name && count <= std::numeric_limits<std::int64_t>::max() / millis)
                return Millis(count * millis);
        }
    }
    return fail(Errc::invalid,
                "\"{}\" is not a duration: write a whole number and one of ms, s, m, h, d, such as \"15s\"",
                text);
}

std::string format_duration(Millis duration) {
    const auto count = duration.count();
    for (auto it = units.rbegin(); it != units.rend(); ++it) {
        if (count != 0 && count % it->second == 0) return fmt::format("{}{}", count / it->second, it->first);
    }
    return "0s";
}

std::string format_utc(WallTime time) {
    const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    std::array<char, 32> text{};
    const auto size = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
    return {text.data(), size};
}

Result<WallTime> parse_expiry(std::string_view text, WallTime now) {
    const std::string copy(text);
    std::optional<Seconds> since_epoch;
    if (const auto time = read_utc(copy, "%Y-%m-%dT%H:%M:%SZ"))
        since_epoch = Seconds(*time);
    else if (const auto day = read_utc(copy, "%Y-%m-%d"))
        since_epoch = Seconds(*day) + std::chrono::hours(24);
    else if (const auto duration = parse_duration(text); duration && *duration <= longest_expiry)
        return now + *duration;
    const auto latest = std::chrono::floor<Seconds>(now.time_since_epoch()) + longest_expiry;
    if (since_epoch && since_epoch->count() >= 0 && *since_epoch <= latest) return WallTime(*since_epoch);
    return fail(
        Errc::invalid,
        "\"{}\" is not a time: write a date such as 2027-01-31, a UTC time such as 2027-01-31T12:00:00Z, "
        "or a duration from now such as 30d; at most a century ahead",
        text);
}

std::string format_bytes(std::uint64_t bytes) {
    constexpr std::array<std::string_view, 5> names{"B", "KiB", "MiB", "GiB", "TiB"};
    if (bytes < 1024) return fmt::format("{} B", bytes);
    auto value = static_cast<double>(bytes);
    std::size_t unit = 0;
    // 1023.96 would be printed as 1024.0, which the next unit says better.
    for (; value >= 1023.95 && unit + 1 < names.size(); ++unit) value /= 1024;
    return fmt::format("{:.1f} {}", value, names[unit]);
}

}  // namespace tunnel
