#pragma once
// Which way is tried next: all in turn, beginning with the one that worked last. Sans-I/O.

#include <string>
#include <vector>

#include "tunnel-client/ways/way.hpp"

namespace tunnel::client {

class WayPlan {
  public:
    // At least one.
    explicit WayPlan(Ways ways) : ways_(std::move(ways)) {}

    const std::shared_ptr<const Way>& current() const { return ways_[at_]; }
    // The server was reached by the current way: the next round begins with it.
    void worked();
    // The current way failed. True when all have now, so that it is time for a pause. When not even its first
    // connection was made (`reached`), those that begin with the same one are not tried.
    bool failed(const Error& error, bool reached);
    // After failed() was true: what each way said; the code is that of all, or Errc::unavailable.
    Error summary() const { return summary_; }

  private:
    bool begins_alike(const Way& a, const Way& b) const;

    Ways ways_;
    std::size_t first_ = 0;  // of this round
    std::size_t at_ = 0;
    struct Failure {
        std::shared_ptr<const Way> way;
        Error error;
    };
    std::vector<Failure> failures_;  // of this round
    Error summary_;
};

}  // namespace tunnel::client
