#pragma once

#include "tests/bench/load/options.hpp"

namespace tunnel::bench {

// One function a verb; each returns the exit code. All are bounded in time.
int run_service(const Options& options);
int run_bulk(const Options& options);
int run_rr(const Options& options);
int run_connect(const Options& options);
int run_first_byte(const Options& options);
int run_idle(const Options& options);
int run_udp_service(const Options& options);
int run_udp_rr(const Options& options);
int run_lossy(const Options& options);

}  // namespace tunnel::bench
