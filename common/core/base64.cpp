#include "common/core/base64.hpp"

#include <algorithm>

namespace tunnel {

std::string base64_encode(BytesView bytes) {
    auto text = base64url_encode(bytes);
    std::replace(text.begin(), text.end(), '-', '+');
    std::replace(text.begin(), text.end(), '_', '/');
    text.append((4 - text.size() % 4) % 4, '=');
    return text;
}

}  // namespace tunnel
