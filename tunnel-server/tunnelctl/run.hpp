#pragma once
// The whole of tunnelctl behind one door: main and the tests enter here.

#include <sys/types.h>

#include <functional>
#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>

#include "common/core/clock.hpp"

namespace tunnel::ctl {

// What tunnelctl asks of the world besides its arguments and its two streams.
struct Environment {
    std::function<std::optional<std::string>(std::string_view name)> variable;  // getenv(3)
    uid_t euid = 0;                                                             // whose default paths apply
    std::function<WallTime()> now;                                              // for ages and --expires
    Millis io_timeout = Seconds(30);  // the server's time to take a request and answer it
};

// The process's own: its variables, user and clock.
Environment process_environment();

// Runs one command and returns the program's exit code: 0 done, 1 failed, 2 wrong usage or config. Results go
// to `out`, everything said to a person goes to `err`. When the reader of `out` is gone (EPIPE) the answer is
// 1 without a word; the caller must ignore SIGPIPE. Blocking: io_timeout at most on the server. Any thread.
int run(int argc, const char* const* argv, std::ostream& out, std::ostream& err,
        const Environment& environment);

}  // namespace tunnel::ctl
