#include "common/mapping/unix_path.hpp"

#include <algorithm>

namespace tunnel {

Result<std::string> parse_unix_path(std::string_view text) {
    const auto refuse = [&](std::string_view why) {
        return fail(Errc::invalid,
                    "\"{}\" is not the path of a Unix socket ({}): write one such as /run/web.sock",
                    text.substr(0, 200), why);
    };
    if (!text.starts_with('/')) return refuse("it does not begin with /");
    if (text.size() > max_unix_path) return refuse(fmt::format("Unix takes {} bytes at most", max_unix_path));
    if (std::any_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }))
        return refuse("it holds control characters");
    for (auto rest = text.substr(1);;) {
        const auto slash = rest.find('/');
        const auto part = rest.substr(0, slash);
        if (part.empty() || part == "." || part == "..")
            return refuse("its parts must be names, not \"\", \".\" or \"..\"");
        if (slash == std::string_view::npos) return std::string(text);
        rest.remove_prefix(slash + 1);
    }
}

bool UnixPathPattern::matches(std::string_view path) const {
    const auto slash = path.rfind('/');
    if (slash == std::string_view::npos || path.substr(0, slash) != folder) return false;
    return name.empty() || path.substr(slash + 1) == name;
}

Result<UnixPathPattern> parse_unix_path_pattern(std::string_view text) {
    auto path = parse_unix_path(text);
    if (!path) return pass(std::move(path.error()));
    const auto slash = path->rfind('/');
    UnixPathPattern pattern{path->substr(0, slash), path->substr(slash + 1)};
    if (pattern.name == "*") pattern.name.clear();
    if ((pattern.folder + pattern.name).find('*') != std::string::npos)
        return fail(Errc::invalid,
                    "\"{}\" is not a rule for Unix sockets: a * stands alone after the last /, such as "
                    "/run/tunnel-server/*",
                    text);
    return pattern;
}

std::string to_string(const UnixPathPattern& pattern) {
    return fmt::format("{}/{}", pattern.folder, pattern.name.empty() ? "*" : pattern.name);
}

}  // namespace tunnel
