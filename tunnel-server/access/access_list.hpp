#pragma once
// Who may visit: networks that are allowed and networks that are denied. Only read once it is built, from any
// thread.

#include <memory>
#include <vector>

#include "tunnel-server/access/network_set.hpp"

namespace tunnel::server {

struct AccessList {
    // Shared, because many mappings may name the same file.
    std::vector<std::shared_ptr<const NetworkSet>> allow;
    std::vector<std::shared_ptr<const NetworkSet>> deny;

    // The longest network that holds the visitor decides; of two equally long ones the denied. A visitor whom
    // none holds is let in unless something is allowed explicitly.
    bool admits(const IpAddress& visitor) const {
        const auto denied = longest(deny, visitor);
        const auto allowed = longest(allow, visitor);
        if (denied && (!allowed || *denied >= *allowed)) return false;
        return allowed || allow.empty();
    }
    bool empty() const { return allow.empty() && deny.empty(); }

  private:
    static std::optional<unsigned> longest(const std::vector<std::shared_ptr<const NetworkSet>>& sets,
                                           const IpAddress& visitor) {
        std::optional<unsigned> best;
        for (const auto& set : sets) best = std::max(best, set->longest_match(visitor));
        return best;
    }
};

}  // namespace tunnel::server
