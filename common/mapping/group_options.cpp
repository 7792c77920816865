#include "common/mapping/group_options.hpp"

#include <charconv>
#include <set>

#include "common/core/names.hpp"
#include "common/mapping/mapping_options.hpp"

namespace tunnel {

namespace {

constexpr std::string_view weight_prefix = "weight=";

// Takes "weight=3" or "backup".
Status take_word(std::string_view word, std::string_view text, MemberService& out) {
    if (word == "backup") {
        out.backup = true;
        return {};
    }
    if (!word.starts_with(weight_prefix))
        return fail(
            Errc::invalid,
            "\"{}\" in \"{}\" is nothing that a member has: write HOST:PORT, then ,weight=N or ,backup", word,
            text);
    const auto number = word.substr(weight_prefix.size());
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), out.weight);
    if (error != std::errc() || end != number.data() + number.size() || out.weight < 1 ||
        out.weight > max_weight)
        return fail(Errc::invalid, "\"{}\" in \"{}\" is out of range: a weight is 1 to {}", word, text,
                    max_weight);
    return {};
}

// An option that would do nothing is a mistake.
Status check_use(const MappingOptions& mapping) {
    const auto& group = mapping.group;
    const bool alone = group.members.empty() && group.name.empty();
    const bool chosen = group.weight != 1 || group.backup || group.balance != Balance::round_robin;
    if (alone && chosen)
        return fail(Errc::invalid,
                    "mapping \"{}\" has one service, so weight, backup and balance choose nothing: name "
                    "another service with member, or a group",
                    mapping.name);
    const auto& check = group.check;
    auto only_kind = HealthCheck();
    only_kind.kind = check.kind;
    if (check.kind == HealthCheck::Kind::none && check != only_kind)
        return fail(Errc::invalid,
                    "mapping \"{}\" says how to check its services, but not that it is to be done: write "
                    "check = \"tcp\" or \"http\"",
                    mapping.name);
    if (check.kind == HealthCheck::Kind::tcp && (check.path != only_kind.path || check.status != 0))
        return fail(Errc::invalid,
                    "mapping \"{}\" has check_path or check_status, which belong to check = \"http\"",
                    mapping.name);
    return {};
}

Status check_members(const MappingOptions& mapping) {
    const auto& group = mapping.group;
    if (group.members.size() > max_members)
        return fail(Errc::invalid, "mapping \"{}\" has {} members, and one mapping has {} at most",
                    mapping.name, group.members.size(), max_members);
    std::set<std::string> seen{to_string(mapping.service)};
    for (const auto& member : group.members) {
        const auto text = to_string(member.service);
        if (!seen.insert(text).second)
            return fail(Errc::invalid,
                        "mapping \"{}\" names the service {} twice: leave one out, or give it a weight",
                        mapping.name, text);
        if (mapping.endpoint.protocol == Protocol::udp && member.service.is_unix())
            return fail(Errc::invalid,
                        "mapping \"{}\" leads datagrams to its member {}: a Unix socket takes streams only, "
                        "write HOST:PORT",
                        mapping.name, text);
        if (member.service.size() != mapping.endpoint.size())
            return fail(
                Errc::invalid,
                "mapping \"{}\" has {} public port{} and {} of its member {}: write ranges of the same "
                "length",
                mapping.name, mapping.endpoint.size(), mapping.endpoint.size() == 1 ? "" : "s",
                member.service.size(), text);
    }
    return {};
}

}  // namespace

std::string_view to_string(Balance balance) {
    switch (balance) {
        case Balance::round_robin:
            return "round_robin";
        case Balance::least_connections:
            return "least_connections";
        case Balance::visitor_address:
            return "visitor_address";
    }
    return "round_robin";
}

Result<Balance> parse_balance(std::string_view text) {
    for (const auto balance : {Balance::round_robin, Balance::least_connections, Balance::visitor_address}) {
        if (to_string(balance) == text) return balance;
    }
    return fail(
        Errc::invalid,
        "\"{}\" is no way to choose a member: write round_robin, least_connections or visitor_address", text);
}

Result<MemberService> parse_member(std::string_view text) {
    MemberService member;
    auto comma = text.find(',');
    auto service = parse_service(text.substr(0, comma));
    if (!service) return pass(std::move(service.error()));
    member.service = std::move(*service);
    while (comma != std::string_view::npos) {
        const auto from = comma + 1;
        comma = text.find(',', from);
        if (auto ok = take_word(text.substr(from, comma == std::string_view::npos ? comma : comma - from),
                                text, member);
            !ok)
            return pass(std::move(ok.error()));
    }
    return member;
}

std::string to_string(const MemberService& member) {
    auto text = to_string(member.service);
    if (member.weight != 1) text += fmt::format(",{}{}", weight_prefix, member.weight);
    if (member.backup) text += ",backup";
    return text;
}

bool is_group(const MappingOptions& mapping) {
    const auto& group = mapping.group;
    return !group.members.empty() || !group.name.empty() || group.check.kind != HealthCheck::Kind::none;
}

std::vector<MemberService> services_of(const MappingOptions& mapping) {
    std::vector<MemberService> services{{mapping.service, mapping.group.weight, mapping.group.backup}};
    services.insert(services.end(), mapping.group.members.begin(), mapping.group.members.end());
    return services;
}

Status check_group(const MappingOptions& mapping) {
    if (mapping.group == GroupOptions()) return {};
    if (!mapping.group.name.empty()) {
        if (auto ok = check_name("group", mapping.group.name); !ok) return ok;
    }
    if (auto ok = check_members(mapping); !ok) return ok;
    return check_use(mapping);
}

}  // namespace tunnel
