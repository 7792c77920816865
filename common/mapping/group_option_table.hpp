#pragma once
// The part of the table of a mapping's options that is about groups. Everybody else asks
// mapping_option_table().

#include "common/mapping/option_table.hpp"

namespace tunnel {

std::span<const MappingOption> group_option_table();

}  // namespace tunnel
