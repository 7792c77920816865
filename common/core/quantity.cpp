#include "common/core/quantity.hpp"

#include <array>
#include <charconv>
#include <optional>
#include <span>

namespace tunnel {

namespace {

struct Unit {
    std::string_view name;
    std::uint64_t worth;
};

constexpr std::uint64_t most = std::uint64_t{1} << 62;
constexpr std::uint64_t least_speed = 1000;

constexpr std::array<Unit, 9> size_units{{{"B", 1},
                                          {"KB", 1'000},
                                          {"MB", 1'000'000},
                                          {"GB", 1'000'000'000},
                                          {"TB", 1'000'000'000'000},
                                          {"KiB", std::uint64_t{1} << 10},
                                          {"MiB", std::uint64_t{1} << 20},
                                          {"GiB", std::uint64_t{1} << 30},
                                          {"TiB", std::uint64_t{1} << 40}}};
constexpr std::array<Unit, 4> bit_units{
    {{"bit", 1}, {"kbit", 1'000}, {"Mbit", 1'000'000}, {"Gbit", 1'000'000'000}}};

std::optional<std::uint64_t> read(std::string_view text, std::span<const Unit> units) {
    std::uint64_t count = 0;
    const char* end = text.data() + text.size();
    const auto [rest, ec] = std::from_chars(text.data(), end, count);
    if (ec != std::errc()) return std::nullopt;
    const std::string_view name(rest, static_cast<std::size_t>(end - rest));
    for (const auto& unit : units) {
        if (name == unit.name && count <= most / unit.worth) return count * unit.worth;
    }
    return std::nullopt;
}

std::string write(std::uint64_t value, std::span<const Unit> units) {
    std::string best;
    for (const auto& unit : units) {
        if (value % unit.worth != 0 || (value == 0 && unit.worth != 1)) continue;
        auto text = fmt::format("{}{}", value / unit.worth, unit.name);
        if (best.empty() || text.size() < best.size()) best = std::move(text);
    }
    return best;
}

}  // namespace

Result<std::uint64_t> parse_size(std::string_view text) {
    if (const auto bytes = read(text, size_units)) return *bytes;
    return fail(
        Errc::invalid,
        "\"{}\" is not an amount of data: write a whole number and one of B, KB, MB, GB, TB, KiB, MiB, "
        "GiB, TiB, such as \"500GB\"",
        text);
}

std::string format_size(std::uint64_t bytes) {
    return write(bytes, size_units);
}

Result<std::uint64_t> parse_speed(std::string_view text) {
    auto speed = read(text, size_units);
    if (const auto bits = read(text, bit_units)) speed = *bits / 8;
    if (speed && *speed >= least_speed) return *speed;
    return fail(
        Errc::invalid,
        "\"{}\" is not a speed: write a whole number and one of kbit, Mbit, Gbit (a second) or KB, MB, "
        "GB, KiB, MiB, GiB (a second), such as \"100Mbit\"; at least \"8kbit\"",
        text);
}

std::string format_speed(std::uint64_t bytes_per_second) {
    if (bytes_per_second > most / 8) return format_size(bytes_per_second);
    const auto bits = write(bytes_per_second * 8, bit_units);
    const auto bytes = format_size(bytes_per_second);
    return bytes.size() < bits.size() ? bytes : bits;
}

}  // namespace tunnel
