#pragma once
// Which member of a group the next visitor goes to. Any thread.

#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "common/core/address.hpp"
#include "common/core/clock.hpp"
#include "common/core/result.hpp"
#include "common/mapping/balance.hpp"
#include "tunnel-server/groups/member.hpp"

namespace tunnel::server {

class Balancer {
  public:
    using Members = std::vector<std::shared_ptr<Member>>;
    Balancer(Balance balance, Members members);

    // A member that is up, the backups only when no other is; without those in `tried`. When none is up, one
    // that is ejected or down is worth a try, and one whose client is away is worth a wait: nobody is refused
    // for what may have healed. Null when all were tried or drain.
    std::shared_ptr<Member> pick(const IpAddress& visitor, TimePoint now, const Members& tried = {});

    // Whether pick() would find one. Takes nobody's turn.
    bool can_pick(TimePoint now, const Members& tried) const { return !best(now, tried).empty(); }

    const Members& members() const { return members_; }

  private:
    // Those of the best rank that there is, by their places.
    std::vector<std::size_t> best(TimePoint now, const Members& tried) const;
    std::shared_ptr<Member> choose(const IpAddress& visitor, const std::vector<std::size_t>& candidates);
    std::size_t next_in_turn(const std::vector<std::size_t>& candidates);

    const Balance balance_;
    const Members members_;
    std::mutex mutex_;
    // Smooth weighted round-robin: what each member is owed.
    std::vector<long> owed_;
};

// A score for a member and a visitor; the highest wins. Grows with the weight as rendezvous hashing wants it
// (Schindelhauer and Schomaker), so that a member that goes moves only its own visitors.
double rendezvous_score(const MemberOptions& member, const IpAddress& visitor);

}  // namespace tunnel::server
