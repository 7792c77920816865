#pragma once
// Whether bytes are text: UTF-8 as RFC 3629 has it. Protobuf refuses text that is not.

#include <cstddef>
#include <string_view>

namespace tunnel {

// The length of the well-formed sequence that `text` begins with, 0 when there is none. `text` is not empty.
std::size_t utf8_sequence_length(std::string_view text);
bool is_utf8(std::string_view text);

}  // namespace tunnel
