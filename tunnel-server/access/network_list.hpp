#pragma once
// A file of networks: one address or ADDRESS/BITS a line, `#` begins a comment. Sans-I/O.

#include <string_view>
#include <vector>

#include "common/core/address.hpp"

namespace tunnel::server {

constexpr std::size_t max_list_entries = 1'000'000;

// Every entry in the order of the file. Errors name `file` and the line, and say how many other lines are
// wrong; a list with a wrong line is no list, so that half of it is never taken for all.
Result<std::vector<Network>> parse_network_list(std::string_view text, std::string_view file);

}  // namespace tunnel::server
