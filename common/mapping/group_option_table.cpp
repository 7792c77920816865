// The options of groups: entries of the table in option_table.cpp.

#include <algorithm>
#include <array>

#include "common/mapping/group_option_table.hpp"

namespace tunnel {

namespace {

using Kind = MappingOption::Kind;
using Role = MappingOption::Role;
using Check = HealthCheck::Kind;
using Texts = std::vector<std::string>;

constexpr Millis shortest_check{100};
constexpr Millis longest_interval = std::chrono::hours(1);
constexpr Millis longest_check = std::chrono::minutes(1);
constexpr unsigned most_checks_in_a_row = 100;
constexpr std::size_t longest_path = 1000;

template <class T>
Status put(Result<T> value, T& out) {
    if (!value) return pass(std::move(value.error()));
    out = std::move(*value);
    return {};
}

Status put_number(std::string_view text, unsigned lowest, unsigned highest, unsigned& out) {
    const bool digits = !text.empty() && text.size() <= 9 &&
                        std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
    const auto value = digits ? std::stoul(std::string(text)) : highest + 1UL;
    if (value < lowest || value > highest)
        return fail(Errc::invalid, "\"{}\" is out of range: write {} to {}", text, lowest, highest);
    out = static_cast<unsigned>(value);
    return {};
}

Status put_time(std::string_view text, Millis highest, Millis& out) {
    const auto time = parse_duration(text);
    if (!time) return pass(time.error());
    if (*time < shortest_check || *time > highest)
        return fail(Errc::invalid, "\"{}\" is out of range: write {} to {}", text,
                    format_duration(shortest_check), format_duration(highest));
    out = *time;
    return {};
}

std::string_view word(Check kind) {
    return kind == Check::tcp ? "tcp" : kind == Check::http ? "http" : "none";
}

Status put_check(std::string_view text, Check& out) {
    for (const auto kind : {Check::none, Check::tcp, Check::http}) {
        if (word(kind) != text) continue;
        out = kind;
        return {};
    }
    return fail(Errc::invalid, "\"{}\" is no way to check a service: write tcp, http or none", text);
}

Status put_path(std::string_view text, std::string& out) {
    const bool clean = std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
    if (!text.starts_with('/') || text.size() > longest_path || !clean)
        return fail(Errc::invalid,
                    "\"{}\" is no path for an HTTP request: write one such as /health, in ASCII and without "
                    "spaces",
                    text);
    out = text;
    return {};
}

Status put_status(std::string_view text, unsigned& out) {
    if (text == "any") {
        out = 0;
        return {};
    }
    if (put_number(text, 100, 599, out)) return {};
    return fail(Errc::invalid,
                "\"{}\" is no HTTP status: write one such as 200, or any for those from 200 to 399", text);
}

constexpr std::array table{
    MappingOption{
        "member", Kind::list, Role::other, "HOST:PORT",
        "Another service that shares the visitors: HOST:PORT or unix:/PATH, then ,weight=N or ,backup",
        [](std::string_view text, MappingOptions& out) -> Status {
            auto member = parse_member(text);
            if (!member) return pass(std::move(member.error()));
            out.group.members.push_back(std::move(*member));
            return {};
        },
        [](const MappingOptions& options) {
            Texts texts;
            for (const auto& member : options.group.members) texts.push_back(to_string(member));
            return texts;
        }},
    MappingOption{"weight", Kind::number, Role::other, "N",
                  "How many visitors the first service takes, as compared with the members",
                  [](std::string_view text, MappingOptions& out) {
                      return put_number(text, 1, max_weight, out.group.weight);
                  },
                  [](const MappingOptions& options) { return Texts{std::to_string(options.group.weight)}; }},
    MappingOption{
        "backup", Kind::off, Role::other, "",
        "Send visitors to the first service only while no other can take them",
        [](std::string_view text, MappingOptions& out) -> Status {
            out.group.backup = text == "true";
            return {};
        },
        [](const MappingOptions& options) { return Texts{options.group.backup ? "true" : "false"}; }},
    MappingOption{
        "balance", Kind::text, Role::other, "WAY",
        "Who takes the next visitor: round_robin, least_connections or visitor_address",
        [](std::string_view text, MappingOptions& out) {
            return put(parse_balance(text), out.group.balance);
        },
        [](const MappingOptions& options) { return Texts{std::string(to_string(options.group.balance))}; }},
    MappingOption{"group", Kind::text, Role::other, "NAME",
                  "Share the public endpoint and its visitors with every mapping of the same group",
                  [](std::string_view text, MappingOptions& out) -> Status {
                      out.group.name = text;
                      return {};
                  },
                  [](const MappingOptions& options) {
                      return options.group.name.empty() ? Texts() : Texts{options.group.name};
                  }},
    MappingOption{
        "check", Kind::text, Role::other, "KIND",
        "How the client checks the services now and then: tcp, http or none",
        [](std::string_view text, MappingOptions& out) { return put_check(text, out.group.check.kind); },
        [](const MappingOptions& options) { return Texts{std::string(word(options.group.check.kind))}; }},
    MappingOption{
        "check_path", Kind::text, Role::other, "PATH", "What an http check asks for",
        [](std::string_view text, MappingOptions& out) { return put_path(text, out.group.check.path); },
        [](const MappingOptions& options) { return Texts{options.group.check.path}; }},
    MappingOption{
        "check_status", Kind::number, Role::other, "STATUS",
        "The status that an http check expects; any: 200 to 399",
        [](std::string_view text, MappingOptions& out) { return put_status(text, out.group.check.status); },
        [](const MappingOptions& options) {
            const auto status = options.group.check.status;
            return Texts{status == 0 ? "any" : std::to_string(status)};
        }},
    MappingOption{
        "check_interval", Kind::number, Role::other, "TIME", "From one check to the next",
        [](std::string_view text, MappingOptions& out) {
            return put_time(text, longest_interval, out.group.check.interval);
        },
        [](const MappingOptions& options) { return Texts{format_duration(options.group.check.interval)}; }},
    MappingOption{
        "check_timeout", Kind::number, Role::other, "TIME", "How long one check may take",
        [](std::string_view text, MappingOptions& out) {
            return put_time(text, longest_check, out.group.check.timeout);
        },
        [](const MappingOptions& options) { return Texts{format_duration(options.group.check.timeout)}; }},
    MappingOption{
        "check_rise", Kind::number, Role::other, "N", "Good checks in a row that bring a service up",
        [](std::string_view text, MappingOptions& out) {
            return put_number(text, 1, most_checks_in_a_row, out.group.check.rise);
        },
        [](const MappingOptions& options) { return Texts{std::to_string(options.group.check.rise)}; }},
    MappingOption{
        "check_fall", Kind::number, Role::other, "N", "Bad checks in a row that take it down",
        [](std::string_view text, MappingOptions& out) {
            return put_number(text, 1, most_checks_in_a_row, out.group.check.fall);
        },
        [](const MappingOptions& options) { return Texts{std::to_string(options.group.check.fall)}; }},
};

}  // namespace

std::span<const MappingOption> group_option_table() {
    return table;
}

}  // namespace tunnel
