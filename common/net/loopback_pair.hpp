#pragma once
// Two ends of one connection within this process, for a stream that another task carries on: one end is used
// like any data or control connection, the other is the outer stream's.
//
// TCP over loopback and no socketpair(2): a Unix socket knows no reset, so that an outer stream that broke
// would look like one that came to its end, and a relay that failed like one that finished.

#include "common/core/result.hpp"
#include "common/net/unique_fd.hpp"

namespace tunnel::net {

struct LoopbackPair {
    UniqueFd ours;
    UniqueFd theirs;
};

// Non-blocking, close-on-exec. Nobody else is at either end. Errc::io when the system has no socket or no
// port left, or no loopback.
Result<LoopbackPair> make_loopback_pair();

}  // namespace tunnel::net
