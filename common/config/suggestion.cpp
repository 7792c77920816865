#include "common/config/suggestion.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <utility>
#include <vector>

namespace tunnel::config {

namespace {

// A third of the letters may be wrong; beyond that a suggestion misleads.
std::string nearest(std::string_view key, const std::set<std::string, std::less<>>& names) {
    std::string best;
    std::size_t best_distance = std::clamp<std::size_t>(key.size() / 3, 1, 3) + 1;
    for (const auto& name : names) {
        const auto distance = edit_distance(key, name);
        if (distance < best_distance) {
            best = name;
            best_distance = distance;
        }
    }
    return best;
}

std::string table_that_has(std::string_view key, const std::set<std::string>& known) {
    const auto suffix = fmt::format(".{}", key);
    for (const auto& name : known) {
        if (name.size() > suffix.size() && name.ends_with(suffix))
            return name.substr(0, name.size() - suffix.size());
    }
    return {};
}

}  // namespace

std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> two_above(b.size() + 1);
    std::vector<std::size_t> above(b.size() + 1);
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::swap(two_above, above);
        std::swap(above, row);
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const auto replaced = above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
            row[j] = std::min({replaced, row[j - 1] + 1, above[j] + 1});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = std::min(row[j], two_above[j - 2] + 1);
        }
    }
    return row[b.size()];
}

std::string unknown_key_message(std::string_view path, std::string_view key,
                                const std::set<std::string, std::less<>>& names,
                                const std::set<std::string>& known) {
    const auto shown = key.substr(0, 64);
    const auto where = path.empty() ? std::string() : fmt::format(" in [{}]", path);
    const auto what = fmt::format("unknown key \"{}\"{}", shown, where);
    // Keys typed below a [table] that belong above it are the commonest slip in TOML.
    if (known.contains(std::string(key)))
        return fmt::format("{}: it belongs to the top level, above the first [table]", what);
    if (const auto suggestion = nearest(shown, names); !suggestion.empty())
        return fmt::format("{}: did you mean \"{}\"?", what, suggestion);
    if (const auto table = table_that_has(key, known); !table.empty())
        return fmt::format("{}: it belongs into [{}]", what, table);
    return fmt::format("{}: remove it, or see the sample config for the keys there are", what);
}

}  // namespace tunnel::config
