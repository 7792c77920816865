#pragma once
// Names that people give to clients and mappings.

#include <string_view>

#include "common/core/result.hpp"

namespace tunnel {

// 1 to 63 of a-z A-Z 0-9 - _ . and the first a letter or digit. `kind` ("client", "mapping") is for the
// message.
Status check_name(std::string_view kind, std::string_view name);

}  // namespace tunnel
