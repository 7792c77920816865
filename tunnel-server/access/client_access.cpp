#include "tunnel-server/access/client_access.hpp"

#include <utility>

#include "common/core/quantity.hpp"

namespace tunnel::server {

namespace {

void set_bandwidth(std::shared_ptr<net::Bandwidth>& bandwidth, std::uint64_t speed, std::uint64_t burst,
                   bool metered) {
    if (speed == 0 && !metered) {
        bandwidth.reset();
        return;
    }
    if (!bandwidth) bandwidth = std::make_shared<net::Bandwidth>();
    bandwidth->set_rate({speed, speed == 0 ? 0 : burst_for(speed, burst)});
}

std::uint64_t passed(const Bandwidths& bandwidths) {
    return (bandwidths.in ? bandwidths.in->passed() : 0) + (bandwidths.out ? bandwidths.out->passed() : 0);
}

// The networks among the entries as one set, and each list that they name.
Result<std::vector<std::shared_ptr<const NetworkSet>>> sets_of(const std::vector<AccessEntry>& entries,
                                                               const ListBook& lists) {
    std::vector<std::shared_ptr<const NetworkSet>> sets;
    std::vector<Network> networks;
    for (const auto& entry : entries) {
        if (entry.network) {
            networks.push_back(*entry.network);
            continue;
        }
        auto list = lists.find(entry.list);
        if (!list)
            return fail(
                Errc::not_found,
                "there is no list \"{}\" here: name one of server.toml ({}), or add it there as [[list]]",
                entry.list, lists.names().empty() ? "it has none" : lists.names());
        sets.push_back(std::move(list));
    }
    if (!networks.empty()) sets.push_back(std::make_shared<const NetworkSet>(networks));
    return sets;
}

}  // namespace

void set_bandwidths(Bandwidths& bandwidths, const VisitorLimits& limits, bool metered) {
    set_bandwidth(bandwidths.in, limits.bandwidth_in, limits.bandwidth_burst, metered);
    set_bandwidth(bandwidths.out, limits.bandwidth_out, limits.bandwidth_burst, metered);
}

Result<AccessList> make_access(const VisitorLimits& limits, const ListBook& lists) {
    auto allow = sets_of(limits.allow, lists);
    if (!allow) return pass(std::move(allow.error()));
    auto deny = sets_of(limits.deny, lists);
    if (!deny) return pass(std::move(deny.error()));
    return AccessList{std::move(*allow), std::move(*deny)};
}

std::shared_ptr<const VisitorRules> make_rules(AccessList access, const VisitorLimits& limits, bool closed,
                                               const std::shared_ptr<const VisitorRules>& before) {
    auto rate = rate_of({limits.per_second, limits.per_second_per_address}, before);
    if (access.empty() && limits.max_visitors == 0 && !rate && !closed) return nullptr;
    return std::make_shared<const VisitorRules>(
        VisitorRules{std::move(access), limits.max_visitors, std::move(rate), closed});
}

Status ClientAccess::check(const ClientSettings& settings) const {
    const auto access = make_access(settings.visitors, lists_);
    if (!access) return pass(access.error());
    return {};
}

ClientAccess::ClientAccess(Log log, const ListBook& lists, Hooks hooks)
    : log_(std::move(log)), lists_(lists), hooks_(std::move(hooks)) {}

void ClientAccess::load(const std::string& client, const MonthlyUse& use) {
    auto& loaded = clients_[client];
    loaded.quota = MonthlyQuota(use);
    loaded.kept = use;
}

void ClientAccess::set(const std::string& client, const ClientSettings& settings) {
    auto& at = clients_[client];
    const auto now = std::chrono::system_clock::now();
    take_traffic(client, at, now);
    const bool others = at.settings != settings;
    at.settings = settings;
    at.quota.set_limit(settings.monthly_traffic);
    if (apply(client, at, now) || others) hooks_.on_change(client);
}

void ClientAccess::remove(const std::string& client) {
    clients_.erase(client);
}

void ClientAccess::lists_changed() {
    for (auto& [name, client] : clients_) {
        if (apply(name, client, std::chrono::system_clock::now())) hooks_.on_change(name);
    }
}

// True when the gate or the bandwidths are others.
bool ClientAccess::apply(const std::string& name, Client& client, WallTime now) {
    const auto before = client.bandwidths;
    const auto& limits = client.settings.visitors;
    set_bandwidths(client.bandwidths, limits, client.settings.monthly_traffic != 0);
    client.counted = passed(client.bandwidths);
    auto access = make_access(limits, lists_);
    if (!access) {
        // A list went away with a reload. To let everybody in would be what its owner wanted least.
        log_.error("client closed to visitors", {{"client", name}, {"reason", access.error().message}});
        access = AccessList{{std::make_shared<const NetworkSet>()}, {}};
    }
    auto rules = make_rules(std::move(*access), limits, client.quota.used_up(now), client.gate.rules);
    const bool none = !rules && !client.gate.rules;
    client.gate.rules = std::move(rules);
    return !none || before != client.bandwidths;
}

const ClientSettings& ClientAccess::settings(const std::string& client) const {
    static const ClientSettings none;
    const auto found = clients_.find(client);
    return found == clients_.end() ? none : found->second.settings;
}

Gate ClientAccess::gate(const std::string& client) const {
    const auto found = clients_.find(client);
    return found == clients_.end() ? Gate{} : found->second.gate;
}

Bandwidths ClientAccess::bandwidths(const std::string& client) const {
    const auto found = clients_.find(client);
    return found == clients_.end() ? Bandwidths{} : found->second.bandwidths;
}

MonthlyUse ClientAccess::use(const std::string& client, WallTime now) const {
    const auto found = clients_.find(client);
    return found == clients_.end() ? MonthlyUse{month_of(now), 0, false} : found->second.quota.use(now);
}

void ClientAccess::take_traffic(const std::string& name, Client& client, WallTime now) {
    if (client.settings.monthly_traffic == 0) return;
    const auto all = passed(client.bandwidths);
    const auto event = client.quota.add(all - std::exchange(client.counted, all), now);
    const auto use = client.quota.use(now);
    switch (event) {
        case MonthlyQuota::Event::none:
            return;
        case MonthlyQuota::Event::warning:
            log_.warn("traffic quota nearly used up", {{"client", name},
                                                       {"used", format_bytes(use.bytes)},
                                                       {"quota", format_size(client.quota.limit())},
                                                       {"month", month_name(use.month)}});
            return;
        case MonthlyQuota::Event::used_up:
            log_.warn("traffic quota used up", {{"client", name},
                                                {"used", format_bytes(use.bytes)},
                                                {"quota", format_size(client.quota.limit())},
                                                {"until", format_utc(end_of(use.month))}});
            break;
        case MonthlyQuota::Event::renewed:
            log_.info("traffic quota renewed", {{"client", name}, {"month", month_name(use.month)}});
            break;
    }
    if (apply(name, client, now)) hooks_.on_change(name);
    if (event == MonthlyQuota::Event::used_up) hooks_.on_used_up(name);
}

void ClientAccess::count(WallTime now) {
    for (auto& [name, client] : clients_) take_traffic(name, client, now);
}

void ClientAccess::keep_uses(WallTime now) {
    for (auto& [name, client] : clients_) {
        const auto use = client.quota.use(now);
        const bool nothing = use.bytes == 0 && client.kept.bytes == 0;
        if (client.settings.monthly_traffic == 0 || nothing || use == client.kept) continue;
        client.kept = use;
        hooks_.on_use(name, use);
    }
}

}  // namespace tunnel::server
