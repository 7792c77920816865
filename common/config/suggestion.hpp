#pragma once
// What to say about a key that nobody knows: most of them are typing errors, or stand in the wrong table.

#include <cstddef>
#include <set>
#include <string>
#include <string_view>

namespace tunnel::config {

// `path` is the table the key stands in (empty: the top level), `names` that table's keys, `known` the dotted
// names of all values.
std::string unknown_key_message(std::string_view path, std::string_view key,
                                const std::set<std::string, std::less<>>& names,
                                const std::set<std::string>& known);

// How many characters were inserted, removed, replaced or swapped with their neighbour between the two
// (optimal string alignment).
std::size_t edit_distance(std::string_view a, std::string_view b);

}  // namespace tunnel::config
