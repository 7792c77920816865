#include "tunnel-server/access/client_settings.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <utility>

#include "common/core/quantity.hpp"

namespace tunnel::server {

namespace {

constexpr std::size_t longest_pattern = 63;

template <std::size_t i>
ClientSetting limit_setting() {
    const auto& word = limit_words()[i];
    return {
        word.name,
        word.list,
        word.value,
        word.help,
        [](std::string_view text, ClientSettings& out) { return limit_words()[i].parse(text, out.visitors); },
        [](const ClientSettings& settings) { return limit_words()[i].print(settings.visitors); }};
}

Status take_ports(std::string_view text, ClientSettings& out) {
    auto range = parse_port_range(text);
    if (!range) return pass(std::move(range.error()));
    out.ports.push_back(*range);
    return {};
}

std::vector<std::string> print_ports(const ClientSettings& settings) {
    std::vector<std::string> texts;
    for (const auto& range : settings.ports) texts.push_back(tunnel::to_string(range));
    return texts;
}

// "web", or "game-*" for all that begin so; `what` for the error.
Status take_pattern(std::string_view text, std::string_view what, std::vector<std::string>& out) {
    const auto body = text.substr(0, text.ends_with('*') ? text.size() - 1 : text.size());
    const bool good = !text.empty() && text.size() <= longest_pattern &&
                      std::all_of(body.begin(), body.end(), [](unsigned char c) {
                          return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.';
                      });
    if (!good)
        return fail(Errc::invalid,
                    "\"{}\" is not a name of {}: write letters, digits, '.', '_' and '-', and * at the "
                    "end for all that begin so, such as game-*",
                    text, what);
    out.emplace_back(text);
    return {};
}

bool matches(const std::vector<std::string>& patterns, std::string_view name) {
    return std::any_of(patterns.begin(), patterns.end(), [name](std::string_view pattern) {
        if (!pattern.ends_with('*')) return name == pattern;
        return name.starts_with(pattern.substr(0, pattern.size() - 1));
    });
}

Status take_name(std::string_view text, ClientSettings& out) {
    return take_pattern(text, "mappings", out.names);
}

Status take_group(std::string_view text, ClientSettings& out) {
    return take_pattern(text, "groups", out.groups);
}

Status take_kind(std::string_view text, ClientSettings& out) {
    if (text != "tcp" && text != "udp" && text != "unix")
        return fail(Errc::invalid, "\"{}\" is not a kind of mapping: write tcp, udp or unix", text);
    out.kinds.emplace_back(text);
    return {};
}

Status take_mappings(std::string_view text, ClientSettings& out) {
    auto limit = parse_limit(text);
    if (!limit) return pass(std::move(limit.error()));
    out.max_mappings = *limit;
    return {};
}

std::vector<std::string> print_mappings(const ClientSettings& settings) {
    if (settings.max_mappings == 0) return {};
    return {fmt::format("{}", settings.max_mappings)};
}

Status take_traffic(std::string_view text, ClientSettings& out) {
    auto size = parse_size(text);
    if (!size) return pass(std::move(size.error()));
    out.monthly_traffic = *size;
    return {};
}

std::vector<std::string> print_traffic(const ClientSettings& settings) {
    if (settings.monthly_traffic == 0) return {};
    return {format_size(settings.monthly_traffic)};
}

Status take_disabled(std::string_view text, ClientSettings& out) {
    if (text != "true" && text != "false")
        return fail(Errc::invalid, "\"{}\" is neither true nor false", text);
    out.disabled = text == "true";
    return {};
}

std::vector<std::string> print_disabled(const ClientSettings& settings) {
    if (!settings.disabled) return {};
    return {"true"};
}

template <std::size_t... i>
std::vector<ClientSetting> make_table(std::index_sequence<i...>) {
    std::vector<ClientSetting> table{
        {"ports", true, "RANGE", "public ports that its config may take, instead of allow_ports", take_ports,
         print_ports},
        {"names", true, "NAME", "names that its mappings may have: web, game-*", take_name,
         [](const ClientSettings& settings) { return settings.names; }},
        {"kinds", true, "KIND", "kinds of mappings that its config may have: tcp, udp, unix", take_kind,
         [](const ClientSettings& settings) { return settings.kinds; }},
        {"groups", true, "GROUP", "groups that its config may share with other clients: site, web-*",
         take_group, [](const ClientSettings& settings) { return settings.groups; }},
        {"max_mappings", false, "N", "mappings that its config may have", take_mappings, print_mappings},
        {"monthly_traffic", false, "SIZE",
         "bytes of all its visitors in both directions in a month (UTC), such as 500GB", take_traffic,
         print_traffic},
        {"disabled", false, "BOOL", "true: it may not log in, and is not forgotten", take_disabled,
         print_disabled}};
    (table.push_back(limit_setting<i>()), ...);
    return table;
}

}  // namespace

std::span<const ClientSetting> client_setting_table() {
    static const auto table = make_table(std::make_index_sequence<limit_word_count>());
    return table;
}

const ClientSetting* find_client_setting(std::string_view name) {
    const auto table = client_setting_table();
    const auto found = std::find_if(table.begin(), table.end(),
                                    [&](const ClientSetting& setting) { return setting.name == name; });
    return found == table.end() ? nullptr : &*found;
}

bool ClientSettings::allows_port(Port port) const {
    return ports.empty() || std::any_of(ports.begin(), ports.end(),
                                        [port](const PortRange& range) { return range.contains(port); });
}

bool ClientSettings::allows_name(std::string_view name) const {
    return names.empty() || matches(names, name);
}

bool ClientSettings::shares_group(std::string_view group) const {
    return matches(groups, group);
}

bool ClientSettings::allows_kind(std::string_view kind) const {
    return kinds.empty() || std::find(kinds.begin(), kinds.end(), kind) != kinds.end();
}

std::vector<SettingText> given_settings(const ClientSettings& settings) {
    std::vector<SettingText> given;
    for (const auto& setting : client_setting_table()) {
        if (auto values = setting.print(settings); !values.empty())
            given.push_back({std::string(setting.name), std::move(values)});
    }
    return given;
}

Status change_settings(ClientSettings& settings, const std::vector<SettingText>& changes) {
    ClientSettings next;
    auto texts = given_settings(settings);
    for (const auto& change : changes) {
        std::erase_if(texts, [&](const SettingText& text) { return text.name == change.name; });
        texts.push_back(change);
    }
    for (const auto& [name, values] : texts) {
        const auto* setting = find_client_setting(name);
        if (setting == nullptr)
            return fail(Errc::invalid,
                        "{}: this tunnel-server knows no such setting of a client: tunnelctl client set "
                        "--help names those there are",
                        name);
        if (!setting->list && values.size() > 1)
            return fail(Errc::invalid, "{}: was given {} values: write one", name, values.size());
        for (const auto& value : values) {
            if (auto ok = setting->parse(value, next); !ok)
                return fail(ok.error().code, "{}: {}", name, ok.error().message);
        }
    }
    settings = std::move(next);
    return {};
}

std::string settings_summary(const ClientSettings& settings) {
    std::vector<std::string> words;
    for (const auto& [name, values] : given_settings(settings))
        words.push_back(fmt::format("{}={}", name, fmt::join(values, ",")));
    return fmt::format("{}", fmt::join(words, " "));
}

}  // namespace tunnel::server
