#include "tunnel-server/tunnelctl/text.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "common/core/utf8.hpp"

namespace tunnel::ctl {

namespace {

bool is_control(std::string_view sequence) {
    const auto first = static_cast<unsigned char>(sequence[0]);
    if (sequence.size() == 1) return first < 0x20 || first == 0x7f;
    return first == 0xc2 && static_cast<unsigned char>(sequence[1]) < 0xa0;
}

void append_escaped(std::string& to, std::string_view bytes) {
    for (const char c : bytes) {
        if (c == '\n')
            to += "\\n";
        else if (c == '\t')
            to += "\\t";
        else
            to += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    }
}

std::string length_of(Seconds length) {
    const auto seconds = std::max<std::int64_t>(length.count(), 0);
    if (seconds < 60) return fmt::format("{}s", seconds);
    if (seconds < 3600) return fmt::format("{}m", seconds / 60);
    if (seconds < 86'400) return fmt::format("{}h", seconds / 3600);
    return fmt::format("{}d", seconds / 86'400);
}

// Whole seconds apart; both are within WallTime, so their difference in seconds is within int64.
Seconds between(WallTime from, WallTime to) {
    return std::chrono::duration_cast<Seconds>(to.time_since_epoch()) -
           std::chrono::duration_cast<Seconds>(from.time_since_epoch());
}

}  // namespace

std::string printable(std::string_view text) {
    std::string shown;
    shown.reserve(text.size());
    while (!text.empty()) {
        const auto length = utf8_sequence_length(text);
        const auto sequence = text.substr(0, std::max<std::size_t>(length, 1));
        if (length == 0 || is_control(sequence))
            append_escaped(shown, sequence);
        else
            shown += sequence;
        text.remove_prefix(sequence.size());
    }
    return shown;
}

std::optional<WallTime> wall_time(std::int64_t unix_seconds) {
    constexpr auto furthest = std::chrono::duration_cast<Seconds>(WallTime::duration::max()).count();
    if (unix_seconds == 0 || unix_seconds > furthest || unix_seconds < -furthest) return std::nullopt;
    return WallTime(Seconds(unix_seconds));
}

std::string age(WallTime then, WallTime now) {
    return length_of(between(then, now));
}

std::string distance(WallTime then, WallTime now) {
    return then > now ? "in " + length_of(between(now, then)) : age(then, now) + " ago";
}

std::string align_table(const std::vector<TableColumn>& columns,
                        const std::vector<std::vector<std::string>>& rows) {
    std::vector<std::string> titles;
    std::vector<std::size_t> widths;
    for (const auto& column : columns) {
        titles.push_back(column.title);
        widths.push_back(column.title.size());
    }
    for (const auto& row : rows) {
        for (std::size_t i = 0; i < columns.size(); ++i) widths[i] = std::max(widths[i], row.at(i).size());
    }
    std::string table;
    const auto append_line = [&](const std::vector<std::string>& cells) {
        std::string line;
        for (std::size_t i = 0; i < columns.size(); ++i) {
            const std::string padding(widths[i] - cells[i].size(), ' ');
            if (i != 0) line += "  ";
            line += columns[i].align == Align::right ? padding + cells[i] : cells[i] + padding;
        }
        table.append(line, 0, line.find_last_not_of(' ') + 1);
        table += '\n';
    };
    append_line(titles);
    for (const auto& row : rows) append_line(row);
    return table;
}

}  // namespace tunnel::ctl
