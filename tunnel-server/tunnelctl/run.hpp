#pragma once
// The whole of tunnelctl behind one door: main and the tests enter here.

#include <functional>
#include <iosfwd>
#include <optional>
#include <string>

#include "common/core/clock.hpp"

namespace tunnel::ctl {

// What tunnelctl asks of the world besides its arguments and its two streams.
struct Environment {
    std::function<std::optional<std::string>(const std::string&)> variable;  // getenv(3)
    bool is_root = false;                                                    // which default paths apply
    std::function<WallTime()> now;                                           // for ages and --expires
    Millis io_timeout = std::chrono::seconds(30);  // the server's time to take a request and answer it
};

// The process's own: its variables, user and clock.
Environment process_environment();

// Runs one command and returns the program's exit code: 0 done, 1 failed, 2 wrong usage. Results go to `out`,
// everything said to a person goes to `err`. When `out` cannot be written because its reader is gone, the
// answer is 1 without a word; SIGPIPE must be ignored by the caller. Blocking; at most io_timeout on the
// server.
int run(int argc, const char* const* argv, std::ostream& out, std::ostream& err,
        const Environment& environment);

}  // namespace tunnel::ctl
