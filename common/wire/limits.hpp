#pragma once
// How the wire's .cpp files check the maxima of what a peer sent.

#include <cstddef>
#include <string_view>

#include "common/core/result.hpp"

namespace tunnel::wire {

inline Status check(std::string_view what, std::size_t value, std::size_t maximum) {
    if (value <= maximum) return {};
    return fail(Errc::protocol, "the other end sent a {} of {}, beyond the maximum of {}", what, value,
                maximum);
}

// The first failure of several checks.
template <class... Checks>
Status all(Checks... checks) {
    Status first;
    (void)((checks ? true : (first = checks, false)) && ...);
    return first;
}

}  // namespace tunnel::wire
