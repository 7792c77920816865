#pragma once
// The two speeds of a mapping or a client.

#include <memory>

#include "common/core/visitor_limits.hpp"
#include "common/net/relay/bandwidth.hpp"

namespace tunnel::server {

// Null without limit.
struct Bandwidths {
    std::shared_ptr<net::Bandwidth> in;   // from visitors
    std::shared_ptr<net::Bandwidth> out;  // to visitors
    bool operator==(const Bandwidths&) const = default;
};

// Changes those that are there, so that running visitors keep to the new speed; makes and drops them as
// needed. With `metered` they are there without a limit too, to count.
void set_bandwidths(Bandwidths& bandwidths, const VisitorLimits& limits, bool metered);

}  // namespace tunnel::server
