#pragma once
// One [[mapping]] of client.toml.

#include <optional>

#include "common/config/toml_reader.hpp"
#include "common/mapping/mapping_options.hpp"

namespace tunnel {

// Reads every key of the table; problems stay with the document. nullopt when there are any that leave no
// whole mapping.
std::optional<MappingOptions> read_mapping(config::Table& table);

}  // namespace tunnel
