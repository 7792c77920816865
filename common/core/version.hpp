#pragma once
// The release, told to peers and to people. CMake's project() has the same number.

#include <string_view>

namespace tunnel {

constexpr std::string_view version = TUNNEL_VERSION;

}  // namespace tunnel
