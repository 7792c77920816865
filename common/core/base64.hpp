#pragma once
// Base64 with padding (RFC 4648 section 4), as HTTP and WebSocket write it. Our own formats use base64url
// (bytes.hpp).

#include <string>

#include "common/core/bytes.hpp"

namespace tunnel {

std::string base64_encode(BytesView bytes);

}  // namespace tunnel
