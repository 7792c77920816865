#pragma once
// What tunnelctl shows of a message: one list of columns drives the table, the details and the JSON, so that
// the three cannot drift apart.

#include <cctype>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "tunnel-server/tunnelctl/text.hpp"

namespace tunnel::ctl {

using Json = nlohmann::ordered_json;

// Where a column is seen by people. JSON has all but sums.
enum class Seen {
    everywhere,  // in lists and in details
    in_lists,    // in lists only, where it sums up what details and JSON tell one by one
    in_details,  // in the view of one thing only
    in_json,     // nowhere else
};

template <class Row>
struct Column {
    std::string title;  // "PUBLIC ADDRESS"; details say "public address"
    std::string key;    // the field's name in proto/admin.proto
    Seen seen = Seen::everywhere;
    Align align = Align::left;
    std::function<std::string(const Row&, WallTime)> text;  // for people; `now` is for ages
    std::function<Json(const Row&)> json;                   // exact
};

template <class Row>
using Columns = std::vector<Column<Row>>;

// A cell for people: nothing is shown as "-", so that every line has the same number of words.
template <class Row>
std::string cell(const Column<Row>& column, const Row& row, WallTime now) {
    auto text = printable(column.text(row, now));
    return text.empty() ? "-" : text;
}

template <class Row>
bool in_list(const Column<Row>& column) {
    return column.seen == Seen::everywhere || column.seen == Seen::in_lists;
}

template <class Row, class Rows>
std::string to_table(const Columns<Row>& columns, const Rows& rows, WallTime now) {
    std::vector<TableColumn> heads;
    for (const auto& column : columns) {
        if (in_list(column)) heads.push_back({column.title, column.align});
    }
    std::vector<std::vector<std::string>> lines;
    for (const auto& row : rows) {
        auto& line = lines.emplace_back();
        for (const auto& column : columns) {
            if (in_list(column)) line.push_back(cell(column, row, now));
        }
    }
    return align_table(heads, lines);
}

// "key: value", a line each.
template <class Row>
std::string to_details(const Columns<Row>& columns, const Row& row, WallTime now) {
    std::string details;
    for (const auto& column : columns) {
        if (column.seen == Seen::in_json || column.seen == Seen::in_lists) continue;
        for (const char c : column.title)
            details += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
        details += ": " + cell(column, row, now) + '\n';
    }
    return details;
}

template <class Row>
Json to_json(const Columns<Row>& columns, const Row& row) {
    auto object = Json::object();
    for (const auto& column : columns) {
        if (column.seen != Seen::in_lists) object[column.key] = column.json(row);
    }
    return object;
}

template <class Row, class Rows>
Json to_json_list(const Columns<Row>& columns, const Rows& rows) {
    auto list = Json::array();
    for (const auto& row : rows) list.push_back(to_json(columns, row));
    return list;
}

}  // namespace tunnel::ctl
