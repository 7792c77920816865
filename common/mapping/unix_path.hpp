#pragma once
// Paths of Unix sockets as people write them.

#include <string>
#include <string_view>

#include "common/core/result.hpp"

namespace tunnel {

// sockaddr_un::sun_path has 108 bytes, one of them for the end of the string; unix(7).
constexpr std::size_t max_unix_path = 107;

// An absolute path without empty, "." or ".." parts and without control characters, so that a rule which
// names it means what it says.
Result<std::string> parse_unix_path(std::string_view text);

// "/run/web.sock", or "/run/tunnel/*" for whatever stands directly in that folder.
struct UnixPathPattern {
    std::string folder;  // without the final slash; empty: the root folder
    std::string name;    // empty: any
    bool matches(std::string_view path) const;
    bool operator==(const UnixPathPattern&) const = default;
};
Result<UnixPathPattern> parse_unix_path_pattern(std::string_view text);
std::string to_string(const UnixPathPattern& pattern);

}  // namespace tunnel
