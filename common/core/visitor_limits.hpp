#pragma once
// Who may visit, and how much: what mappings and clients have in common, with the words that people write. 0
// and empty mean: without limit.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/core/address.hpp"
#include "common/core/result.hpp"

namespace tunnel {

// An entry of allow or deny: a network, or one of the lists that server.toml names ("list:office").
struct AccessEntry {
    std::optional<Network> network;
    std::string list;  // its name, where there is no network
    bool operator==(const AccessEntry&) const = default;
};
Result<AccessEntry> parse_access_entry(std::string_view text);
std::string to_string(const AccessEntry& entry);

struct VisitorLimits {
    std::vector<AccessEntry> allow;
    std::vector<AccessEntry> deny;
    std::uint32_t max_visitors = 0;  // at once
    std::uint32_t per_second = 0;    // new ones
    std::uint32_t per_second_per_address = 0;
    std::uint64_t bandwidth_in = 0;     // from visitors, bytes a second
    std::uint64_t bandwidth_out = 0;    // to visitors
    std::uint64_t bandwidth_burst = 0;  // bytes; 0: see burst_for()
    bool operator==(const VisitorLimits&) const = default;
};

// The burst of a bandwidth when its owner chose none: a twentieth of a second.
std::uint64_t burst_for(std::uint64_t bandwidth, std::uint64_t chosen);

struct LimitWord {
    std::string_view name;  // in config files; on command lines with - for _
    bool list = false;
    std::string_view value;  // what help calls the value
    std::string_view help;
    // Takes one value. An error is a sentence about the value.
    Status (*parse)(std::string_view text, VisitorLimits& out);
    // The values in force, in the words that parse takes back; none without limit.
    std::vector<std::string> (*print)(const VisitorLimits& limits);
};
constexpr std::size_t limit_word_count = 8;
// A function, because tables of other files are made of it before main() runs.
std::span<const LimitWord, limit_word_count> limit_words();

// "5" .. "1000000", and 0 for no limit.
Result<std::uint32_t> parse_limit(std::string_view text);

}  // namespace tunnel
