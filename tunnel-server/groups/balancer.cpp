#include "tunnel-server/groups/balancer.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace tunnel::server {

namespace {

// FNV-1a, then the finisher of SplitMix64, so that similar addresses differ in every bit.
std::uint64_t hash_of(std::string_view name, const IpAddress& visitor) {
    std::uint64_t hash = 0xcbf29ce484222325;
    const auto take = [&hash](std::uint8_t byte) { hash = (hash ^ byte) * 0x100000001b3; };
    for (const char c : name) take(static_cast<std::uint8_t>(c));
    take(0);
    for (const auto byte : visitor.bytes) take(byte);
    hash = (hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9;
    hash = (hash ^ (hash >> 27)) * 0x94d049bb133111eb;
    return hash ^ (hash >> 31);
}

// How much a member is wanted: all that are up before any that is not, and those before the ones away.
int rank_of(const Member& member, TimePoint now) {
    const int backup = member.options().backup ? 1 : 0;
    switch (member.state(now)) {
        case MemberState::up:
            return backup;
        case MemberState::ejected:
            return 2 + backup;
        case MemberState::down:
            return 4 + backup;
        case MemberState::away:
            return 6 + backup;
        case MemberState::draining:
            break;
    }
    return -1;
}

}  // namespace

double rendezvous_score(const MemberOptions& member, const IpAddress& visitor) {
    // 53 bits make a fraction strictly between 0 and 1.
    const auto hash = hash_of(member.name, visitor) >> 11;
    const double fraction = (static_cast<double>(hash) + 0.5) / 9007199254740992.0;
    return -static_cast<double>(member.weight) / std::log(fraction);
}

Balancer::Balancer(Balance balance, Members members)
    : balance_(balance), members_(std::move(members)), owed_(members_.size(), 0) {}

std::vector<std::size_t> Balancer::best(TimePoint now, const Members& tried) const {
    std::vector<std::size_t> best;
    int best_rank = -1;
    for (std::size_t i = 0; i < members_.size(); ++i) {
        if (std::find(tried.begin(), tried.end(), members_[i]) != tried.end()) continue;
        const int rank = rank_of(*members_[i], now);
        if (rank < 0 || (best_rank >= 0 && rank > best_rank)) continue;
        if (rank != best_rank) best.clear();
        best_rank = rank;
        best.push_back(i);
    }
    return best;
}

std::shared_ptr<Member> Balancer::pick(const IpAddress& visitor, TimePoint now, const Members& tried) {
    const auto candidates = best(now, tried);
    if (candidates.empty()) return nullptr;
    return candidates.size() == 1 ? members_[candidates.front()] : choose(visitor, candidates);
}

std::shared_ptr<Member> Balancer::choose(const IpAddress& visitor,
                                         const std::vector<std::size_t>& candidates) {
    if (balance_ == Balance::visitor_address) {
        const auto score = [&](std::size_t i) { return rendezvous_score(members_[i]->options(), visitor); };
        return members_[*std::max_element(candidates.begin(), candidates.end(),
                                          [&](auto a, auto b) { return score(a) < score(b); })];
    }
    const std::lock_guard lock(mutex_);
    if (balance_ == Balance::round_robin) return members_[next_in_turn(candidates)];
    // One more visitor each, so that of idle ones the heaviest comes first; equals take turns.
    const auto load = [&](std::size_t i) {
        return (members_[i]->visitors() + 1.0) / members_[i]->options().weight;
    };
    double least = load(candidates.front());
    for (const auto i : candidates) least = std::min(least, load(i));
    std::vector<std::size_t> equals;
    for (const auto i : candidates) {
        if (load(i) <= least) equals.push_back(i);
    }
    return members_[next_in_turn(equals.empty() ? candidates : equals)];
}

std::size_t Balancer::next_in_turn(const std::vector<std::size_t>& candidates) {
    long total = 0;
    std::size_t chosen = candidates.front();
    for (const auto i : candidates) {
        const auto weight = static_cast<long>(members_[i]->options().weight);
        total += weight;
        owed_[i] += weight;
        if (owed_[i] > owed_[chosen]) chosen = i;
    }
    owed_[chosen] -= total;
    return chosen;
}

}  // namespace tunnel::server
