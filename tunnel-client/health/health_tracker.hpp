#pragma once
// From single checks to up and down. Sans-I/O.

#include <optional>

#include "common/mapping/health_check.hpp"

namespace tunnel::client {

class HealthTracker {
  public:
    HealthTracker(unsigned rise, unsigned fall) : rise_(rise), fall_(fall) {}

    // The new state when this check changed it. The first check of all decides at once.
    std::optional<bool> note(bool good) {
        if (!up_) {
            up_ = good;
            return up_;
        }
        in_a_row_ = good == *up_ ? 0 : in_a_row_ + 1;
        if (in_a_row_ < (*up_ ? fall_ : rise_)) return std::nullopt;
        in_a_row_ = 0;
        up_ = good;
        return up_;
    }

  private:
    unsigned rise_;
    unsigned fall_;
    unsigned in_a_row_ = 0;  // checks that contradict the state
    std::optional<bool> up_;
};

}  // namespace tunnel::client
