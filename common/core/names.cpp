#include "common/core/names.hpp"

#include <algorithm>
#include <cctype>

namespace tunnel {

Status check_name(std::string_view kind, std::string_view name) {
    const auto ok = [](unsigned char c) { return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.'; };
    if (name.empty() || name.size() > 63 || std::isalnum(static_cast<unsigned char>(name.front())) == 0 ||
        !std::all_of(name.begin(), name.end(), ok)) {
        return fail(Errc::invalid,
                    "\"{}\" is not a {} name: use 1 to 63 letters, digits, - _ and ., beginning with a "
                    "letter or digit",
                    name.substr(0, 80), kind);
    }
    return {};
}

}  // namespace tunnel
