#include "tunnel-server/streams/assignment.hpp"

#include <utility>

namespace tunnel::server {

namespace {

Balancer::Members with_this(const WaitingVisitor& visitor) {
    auto tried = visitor.tried;
    tried.push_back(visitor.route->member);
    return tried;
}

// One on a Unix socket has no address.
std::optional<IpAddress> address_of(const Visitor& visitor) {
    if (visitor.peer.port() == 0) return std::nullopt;
    return net::to_ip(visitor.peer.address());
}

void add_mapping(Balancer::Members& tried, const RouteSet& set, const MappingKey& mapping) {
    for (const auto& route : set.routes()) {
        if (route->mapping == mapping) tried.push_back(route->member);
    }
}

// Where somebody is who goes elsewhere.
struct Leaving {
    const Route& route;
    VisitorPlace& place;
};

// `leaving`: null for somebody who has just come.
tl::expected<VisitorPlace, Refusal> enter(const Route& route, const Leaving* leaving,
                                          const std::optional<IpAddress>& address, TimePoint now) {
    if (leaving != nullptr && leaving->route.mapping == route.mapping) return std::move(leaving->place);
    auto gates = route.gates;
    const bool same_client = leaving != nullptr && leaving->route.mapping.client == route.mapping.client;
    if (same_client) gates[client_gate] = {};
    auto place = admit(gates, address ? &*address : nullptr, now);
    if (place && same_client) place->take_over(client_gate, leaving->place);
    return place;
}

// The next member by the group's balance, of those mappings that let the visitor in.
tl::expected<Admitted, Refusal> find_member(RouteSet& set, const Leaving* leaving,
                                            const std::optional<IpAddress>& address, Balancer::Members tried,
                                            bool only_up) {
    const auto now = Clock::now();
    auto why = Refusal::drained;
    while (auto route = set.pick(address.value_or(IpAddress{}), now, tried)) {
        if (only_up && route->member && route->member->state(now) != MemberState::up) break;
        auto place = enter(*route, leaving, address, now);
        if (place) return Admitted{std::move(route), std::move(*place)};
        why = place.error();
        if (!route->member) break;
        add_mapping(tried, set, route->mapping);
    }
    return tl::unexpected(why);
}

// False when no other member takes it.
bool go_elsewhere(WaitingVisitor& visitor, bool only_up) {
    const auto group = visitor.route->group.lock();
    // Datagrams ask for a data connection of this very member: it is their flows that move.
    if (!visitor.route->member || !group || visitor.carrier) return false;
    const Leaving leaving{*visitor.route, visitor.visitor.place};
    auto next =
        find_member(*group->set(), &leaving, address_of(visitor.visitor), with_this(visitor), only_up);
    if (!next) return false;
    visitor.tried.push_back(visitor.route->member);
    visitor.route = std::move(next->route);
    visitor.visitor.place = std::move(next->place);
    visitor.moves = 0;
    return true;
}

}  // namespace

bool has_next_member(const WaitingVisitor& visitor) {
    const auto group = visitor.route->group.lock();
    return visitor.route->member && group && group->set()->can_pick(Clock::now(), with_this(visitor));
}

bool next_member(WaitingVisitor& visitor, Failed what, const std::string& reason) {
    const auto failed = visitor.route;
    if (!failed->member) return false;
    const auto now = Clock::now();
    (void)failed->member->note_failure(now, reason);
    const auto group = failed->group.lock();
    if (what == Failed::client && group) {
        for (const auto& route : group->set()->routes()) {
            if (route->seat != failed->seat || route->member == failed->member) continue;
            (void)route->member->note_failure(now, reason);
            visitor.tried.push_back(route->member);
        }
    }
    return go_elsewhere(visitor, false);
}

bool move_to_member_that_is_up(WaitingVisitor& visitor) {
    return go_elsewhere(visitor, true);
}

tl::expected<Admitted, Refusal> admit(const std::shared_ptr<const Route>& route,
                                      const std::optional<IpAddress>& visitor) {
    const auto group = route->group.lock();
    if (route->member && group) return find_member(*group->set(), nullptr, visitor, {}, false);
    auto place = enter(*route, nullptr, visitor, Clock::now());
    if (!place) return tl::unexpected(place.error());
    return Admitted{route, std::move(*place)};
}

tl::expected<Admitted, Refusal> admit(const std::shared_ptr<const Route>& route, const Visitor& visitor) {
    return admit(route, address_of(visitor));
}

std::optional<Admitted> admit_elsewhere(RouteSet& set, const Route& route, VisitorPlace& place,
                                        const IpAddress& visitor) {
    const Leaving leaving{route, place};
    auto next = find_member(set, &leaving, visitor, {route.member}, true);
    if (!next) return std::nullopt;
    return std::move(*next);
}

}  // namespace tunnel::server
