#include "common/core/visitor_limits.hpp"

#include <algorithm>
#include <charconv>

#include "common/core/names.hpp"
#include "common/core/quantity.hpp"

namespace tunnel {

namespace {

constexpr std::string_view list_prefix = "list:";
constexpr std::uint32_t largest_limit = 1'000'000;
constexpr std::uint64_t least_burst = 2048;

template <class T, class Parse>
Status take(std::string_view text, T& out, Parse parse) {
    auto value = parse(text);
    if (!value) return pass(std::move(value.error()));
    out = *value;
    return {};
}

template <std::vector<AccessEntry> VisitorLimits::*entries>
Status take_entry(std::string_view text, VisitorLimits& out) {
    auto entry = parse_access_entry(text);
    if (!entry) return pass(std::move(entry.error()));
    (out.*entries).push_back(std::move(*entry));
    return {};
}

template <std::vector<AccessEntry> VisitorLimits::*entries>
std::vector<std::string> print_entries(const VisitorLimits& limits) {
    std::vector<std::string> texts;
    for (const auto& entry : limits.*entries) texts.push_back(to_string(entry));
    return texts;
}

template <std::uint32_t VisitorLimits::*limit>
Status take_count(std::string_view text, VisitorLimits& out) {
    return take(text, out.*limit, parse_limit);
}

template <std::uint32_t VisitorLimits::*limit>
std::vector<std::string> print_count(const VisitorLimits& limits) {
    if (limits.*limit == 0) return {};
    return {fmt::format("{}", limits.*limit)};
}

template <std::uint64_t VisitorLimits::*speed>
Status take_speed(std::string_view text, VisitorLimits& out) {
    return take(text, out.*speed, parse_speed);
}

template <std::uint64_t VisitorLimits::*speed>
std::vector<std::string> print_speed(const VisitorLimits& limits) {
    if (limits.*speed == 0) return {};
    return {format_speed(limits.*speed)};
}

Status take_burst(std::string_view text, VisitorLimits& out) {
    return take(text, out.bandwidth_burst, [](std::string_view size) -> Result<std::uint64_t> {
        auto bytes = parse_size(size);
        if (bytes && *bytes < least_burst)
            return fail(Errc::invalid, "\"{}\" is too little for a burst: write at least 2KiB", size);
        return bytes;
    });
}

std::vector<std::string> print_burst(const VisitorLimits& limits) {
    if (limits.bandwidth_burst == 0) return {};
    return {format_size(limits.bandwidth_burst)};
}

}  // namespace

std::span<const LimitWord, limit_word_count> limit_words() {
    static const LimitWord words[limit_word_count] = {
        {"allow", true, "NETWORK",
         "who may visit: 203.0.113.0/24, 2001:db8::/32, or list:NAME of server.toml",
         take_entry<&VisitorLimits::allow>, print_entries<&VisitorLimits::allow>},
        {"deny", true, "NETWORK", "who may not; where both match, the longer prefix counts",
         take_entry<&VisitorLimits::deny>, print_entries<&VisitorLimits::deny>},
        {"max_visitors", false, "N", "visitors at once", take_count<&VisitorLimits::max_visitors>,
         print_count<&VisitorLimits::max_visitors>},
        {"visitors_per_second", false, "N", "new visitors a second", take_count<&VisitorLimits::per_second>,
         print_count<&VisitorLimits::per_second>},
        {"visitors_per_second_per_address", false, "N",
         "new visitors a second of one IPv4 address or IPv6 /64",
         take_count<&VisitorLimits::per_second_per_address>,
         print_count<&VisitorLimits::per_second_per_address>},
        {"bandwidth_in", false, "SPEED", "from visitors, such as 20Mbit or 2MiB (a second)",
         take_speed<&VisitorLimits::bandwidth_in>, print_speed<&VisitorLimits::bandwidth_in>},
        {"bandwidth_out", false, "SPEED", "to visitors", take_speed<&VisitorLimits::bandwidth_out>,
         print_speed<&VisitorLimits::bandwidth_out>},
        {"bandwidth_burst", false, "SIZE",
         "what may be saved up for a burst, such as 1MiB (a twentieth of a second's worth)", take_burst,
         print_burst},
    };
    return words;
}

Result<AccessEntry> parse_access_entry(std::string_view text) {
    if (text.starts_with(list_prefix)) {
        const auto name = text.substr(list_prefix.size());
        if (auto ok = check_name("list", name); !ok) return pass(std::move(ok.error()));
        return AccessEntry{std::nullopt, std::string(name)};
    }
    auto network = parse_network(text);
    if (!network)
        return fail(Errc::invalid,
                    "\"{}\" is not a network: write ADDRESS, ADDRESS/BITS such as 10.0.0.0/8, or list:NAME",
                    text);
    return AccessEntry{*network, ""};
}

std::string to_string(const AccessEntry& entry) {
    return entry.network ? to_string(*entry.network) : fmt::format("{}{}", list_prefix, entry.list);
}

std::uint64_t burst_for(std::uint64_t bandwidth, std::uint64_t chosen) {
    return chosen != 0 ? chosen : std::max(least_burst, bandwidth / 20);
}

Result<std::uint32_t> parse_limit(std::string_view text) {
    std::uint32_t value = 0;
    const char* end = text.data() + text.size();
    const auto [rest, ec] = std::from_chars(text.data(), end, value);
    if (ec != std::errc() || rest != end || value > largest_limit)
        return fail(Errc::invalid, "\"{}\" is not a limit: write a number up to {}, 0 for no limit", text,
                    largest_limit);
    return value;
}

}  // namespace tunnel
