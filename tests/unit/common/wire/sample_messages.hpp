#pragma once
// Control messages for tests: one of each kind, and random ones within every field's maximum.

#include <vector>

#include "common/wire/control_messages.hpp"
#include "tests/unit/common/wire/seeded_random.hpp"

namespace tunnel::wire {

constexpr std::size_t kinds = std::variant_size_v<ControlMessage>;

// A message of the variant's alternative `kind`, with every field filled from `random`.
ControlMessage random_message(std::size_t kind, SeededRandom& random);

// One of each kind with plain contents, in the variant's order.
std::vector<ControlMessage> one_of_each();

}  // namespace tunnel::wire
