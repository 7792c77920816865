#pragma once
// Text for a terminal. Independent of the locale.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/core/clock.hpp"

namespace tunnel::ctl {

// What the server says goes to a terminal, so what could steer one is shown instead of sent: control
// characters (also the C1 ones of ISO 6429, spelled in UTF-8) and bytes that are not UTF-8 become \n, \t,
// \x1b.
std::string printable(std::string_view text);

// Unix seconds of a message; nullopt for 0 ("never") and for what WallTime cannot hold.
std::optional<WallTime> wall_time(std::int64_t unix_seconds);

// How long ago, in its largest unit: "12s", "3m", "2h", "5d". A clock that is a little behind yields "0s".
std::string age(WallTime then, WallTime now);
// "in 3d", or "2h ago" once it is past.
std::string distance(WallTime then, WallTime now);

enum class Align { left, right };

struct TableColumn {
    std::string title;
    Align align = Align::left;
};

// Columns two spaces apart, titles first, no spaces at the ends of lines. Each row has a cell for each
// column; cells hold printable text.
std::string align_table(const std::vector<TableColumn>& columns,
                        const std::vector<std::vector<std::string>>& rows);

}  // namespace tunnel::ctl
