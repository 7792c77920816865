#include "tunnel-server/access/visitor_gate.hpp"

#include <utility>

namespace tunnel::server {

VisitorPlace& VisitorPlace::operator=(VisitorPlace&& other) noexcept {
    if (this != &other) {
        leave();
        counts_ = std::move(other.counts_);
    }
    return *this;
}

void VisitorPlace::leave() {
    for (auto& count : counts_) {
        if (const auto left = std::exchange(count, nullptr)) *left -= 1;
    }
}

bool VisitorPlace::enter(std::size_t gate, const Gate& at) {
    if (!at.count) return true;
    const auto limit = at.rules ? at.rules->max_visitors : 0;
    const auto before = at.count->fetch_add(1);
    if (limit != 0 && before >= limit) {
        *at.count -= 1;
        return false;
    }
    counts_[gate] = at.count;
    return true;
}

tl::expected<VisitorPlace, Refusal> admit(const Gates& gates, const IpAddress* visitor, TimePoint now) {
    for (const auto& gate : gates) {
        if (gate.rules && gate.rules->closed) return tl::unexpected(Refusal::quota);
        if (gate.rules && visitor != nullptr && !gate.rules->access.admits(*visitor))
            return tl::unexpected(Refusal::denied);
    }
    VisitorPlace place;
    for (std::size_t i = 0; i < gates.size(); ++i) {
        if (!place.enter(i, gates[i])) return tl::unexpected(Refusal::at_once);
    }
    for (const auto& gate : gates) {
        if (!gate.rules || !gate.rules->rate) continue;
        const auto verdict = gate.rules->rate->admit(visitor != nullptr ? *visitor : IpAddress{}, now);
        if (verdict == VisitorRate::Verdict::too_many) return tl::unexpected(Refusal::per_second);
        if (verdict == VisitorRate::Verdict::too_many_of_address)
            return tl::unexpected(Refusal::address_rate);
    }
    return place;
}

std::shared_ptr<VisitorRate> rate_of(const VisitorRate::Limits& limits,
                                     const std::shared_ptr<const VisitorRules>& before) {
    if (limits == VisitorRate::Limits{}) return nullptr;
    if (before && before->rate && before->rate->limits() == limits) return before->rate;
    return std::make_shared<VisitorRate>(limits);
}

}  // namespace tunnel::server
