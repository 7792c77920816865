#pragma once

#include <vector>

#include "tests/bench/load/socket.hpp"
#include "tests/bench/load/stats.hpp"

namespace tunnel::bench {

// Opens `count` connections, at most 64 of them at a time on their way, and has one byte echoed on each. Dies
// when one fails or the deadline passes: a case that holds connections is worth nothing with fewer of them.
std::vector<Fd> open_echoing(const Endpoint& target, std::size_t count, Clock::time_point deadline);

// Has one more byte echoed on each; returns how many answered before the deadline.
std::size_t still_echoing(const std::vector<Fd>& connections, Clock::time_point deadline);

}  // namespace tunnel::bench
