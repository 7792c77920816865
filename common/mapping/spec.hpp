#pragma once
// Mappings as they travel and are kept: MappingOptions <-> wire::MappingSpec.

#include <string>
#include <vector>

#include "common/mapping/mapping_options.hpp"
#include "common/wire/mapping_spec.hpp"

namespace tunnel {

wire::MappingSpec to_spec(const MappingOptions& options);

// How a group's services are checked, alone, with the PROXY header that they expect: the server tells the
// client. Errors as from_spec() has them.
std::vector<wire::OptionText> check_options(const MappingOptions& options);
Result<HealthCheck> read_check(const std::vector<wire::OptionText>& options);

// With every rule of check_mapping(). Errc::version names an option that this release does not know.
Result<MappingOptions> from_spec(const wire::MappingSpec& spec);

// The names of all options, for those who want to know what this release understands.
std::vector<std::string> known_option_names();
// An error when `known` lacks an option that this mapping uses: what a server knows, told by a newer client.
Status check_known(const wire::MappingSpec& spec, const std::vector<std::string>& known);

}  // namespace tunnel
