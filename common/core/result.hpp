#pragma once
// How things fail. Network, config and protocol failures are values: a function that can fail for reasons
// outside the program returns Result<T>. Exceptions are for start-up and bugs.

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace tunnel {

enum class Errc {
    invalid,          // the caller's words are wrong: config, command line, a malformed frame
    not_found,        // the thing named does not exist
    exists,           // the thing named exists already
    conflict,         // it collides with something else: a port in use, a name taken
    not_allowed,      // a rule of the server or of the client forbids it
    unauthenticated,  // the proof of identity is missing or wrong
    expired,          // it was valid once
    limit,            // a maximum was reached
    timeout,          // nobody answered in time
    closed,           // the peer ended it
    protocol,         // the peer broke the protocol
    version,          // the two ends do not speak the same version
    unavailable,      // it may work later: not connected, draining
    io,               // the operating system refused; see sys_errno
    internal,         // a bug on our side
};

// Stable lower-case name, used in logs, in the admin API and in tests.
std::string_view to_string(Errc code);

struct Error {
    Errc code = Errc::internal;
    std::string message;  // a sentence for a person: what happened, with the value at fault, and what to do
    int sys_errno = 0;    // errno when code is io, else 0
};

template <class T>
using Result = tl::expected<T, Error>;
using Status = Result<void>;

// fail(Errc::invalid, "port {} is out of range", n) -> converts to any Result<T>.
template <class... Args>
tl::unexpected<Error> fail(Errc code, fmt::format_string<Args...> text, Args&&... args) {
    return tl::unexpected<Error>(Error{code, fmt::format(text, std::forward<Args>(args)...), 0});
}

// The one place where errno becomes a sentence: "cannot open /x: Permission denied". `what` names the
// attempt.
tl::unexpected<Error> fail_errno(int sys_errno, std::string_view what);

// Passes an error on from one Result type to another.
inline tl::unexpected<Error> pass(Error error) {
    return tl::unexpected<Error>(std::move(error));
}

}  // namespace tunnel
