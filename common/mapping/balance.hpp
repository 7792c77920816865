#pragma once
// How a group's visitors are spread over its members.

#include <cstdint>
#include <string_view>

#include "common/core/result.hpp"

namespace tunnel {

enum class Balance : std::uint8_t {
    round_robin,        // one after the other, as often as their weights say
    least_connections,  // the one with the fewest visitors for its weight
    visitor_address,    // always the same for one address, while it is up (rendezvous hashing)
};
std::string_view to_string(Balance balance);
Result<Balance> parse_balance(std::string_view text);

}  // namespace tunnel
