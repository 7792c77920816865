#include "tunnel-server/access/network_list.hpp"

#include <algorithm>

namespace tunnel::server {

namespace {

constexpr std::string_view blanks = " \t\r";

std::string_view entry_of(std::string_view line) {
    line = line.substr(0, line.find('#'));
    const auto first = line.find_first_not_of(blanks);
    if (first == std::string_view::npos) return {};
    return line.substr(first, line.find_last_not_of(blanks) - first + 1);
}

// What is not a list at all, such as a picture, should not fill the log.
constexpr std::size_t longest_entry = 60;

}  // namespace

Result<std::vector<Network>> parse_network_list(std::string_view text, std::string_view file) {
    std::vector<Network> networks;
    std::optional<Error> first;
    std::size_t wrong = 0;
    for (std::size_t line = 1; !text.empty(); ++line) {
        const auto end = text.find('\n');
        const auto entry = entry_of(text.substr(0, end));
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
        if (entry.empty()) continue;
        if (networks.size() == max_list_entries)
            return fail(Errc::limit, "{}, line {}: a list has at most {} entries", file, line,
                        max_list_entries);
        auto network = parse_network(entry.substr(0, std::min(entry.size(), longest_entry)));
        if (network) {
            networks.push_back(*network);
            continue;
        }
        if (++wrong == 1)
            first = Error{Errc::invalid, fmt::format("{}, line {}: {}", file, line, network.error().message)};
    }
    if (wrong > 1) first->message += fmt::format(" ({} more lines are wrong)", wrong - 1);
    if (first) return pass(std::move(*first));
    return networks;
}

}  // namespace tunnel::server
