#include "tunnel-server/mappings/route.hpp"

#include <algorithm>

namespace tunnel::server {

namespace {

Balancer::Members members_of(const Routes& routes) {
    Balancer::Members members;
    for (const auto& route : routes) {
        if (route->member) members.push_back(route->member);
    }
    return members;
}

}  // namespace

RouteSet::RouteSet(Routes routes, Balance balance)
    : routes_(std::move(routes)), balancer_(balance, members_of(routes_)) {}

std::shared_ptr<const Route> RouteSet::pick(const IpAddress& visitor, TimePoint now,
                                            const Balancer::Members& tried) {
    if (!first()->member) return first();
    const auto member = balancer_.pick(visitor, now, tried);
    const auto found = std::find_if(routes_.begin(), routes_.end(),
                                    [&](const auto& route) { return member && route->member == member; });
    return found == routes_.end() ? nullptr : *found;
}

}  // namespace tunnel::server
