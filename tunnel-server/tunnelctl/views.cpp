#include "tunnel-server/tunnelctl/views.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "common/mapping/group_option_table.hpp"

namespace tunnel::ctl {

namespace {

// Kinds of columns by what their field means. `get` is the field's getter.

template <class Row>
Column<Row> text_column(std::string title, std::string key, const std::string& (Row::*get)() const,
                        Seen seen = Seen::everywhere) {
    return {std::move(title),
            std::move(key),
            seen,
            Align::left,
            [get](const Row& row, WallTime) { return (row.*get)(); },
            [get](const Row& row) { return Json((row.*get)()); }};
}

template <class Row, class Number>
Column<Row> number_column(std::string title, std::string key, Number (Row::*get)() const,
                          Seen seen = Seen::everywhere) {
    return {std::move(title),
            std::move(key),
            seen,
            Align::right,
            [get](const Row& row, WallTime) { return fmt::format("{}", (row.*get)()); },
            [get](const Row& row) { return Json((row.*get)()); }};
}

template <class Row>
Column<Row> bytes_column(std::string title, std::string key, std::uint64_t (Row::*get)() const) {
    auto column = number_column<Row>(std::move(title), std::move(key), get);
    column.text = [get](const Row& row, WallTime) { return format_bytes((row.*get)()); };
    return column;
}

template <class Row>
Column<Row> flag_column(std::string title, std::string key, bool (Row::*get)() const) {
    return {std::move(title),
            std::move(key),
            Seen::everywhere,
            Align::left,
            [get](const Row& row, WallTime) { return std::string((row.*get)() ? "yes" : "no"); },
            [get](const Row& row) { return Json((row.*get)()); }};
}

Json json_time(std::int64_t unix_seconds) {
    const auto time = wall_time(unix_seconds);
    return time ? Json(format_utc(*time)) : Json();
}

// A moment in the past, shown as its age.
template <class Row>
Column<Row> age_column(std::string title, std::string key, std::int64_t (Row::*get)() const,
                       Seen seen = Seen::everywhere) {
    return {std::move(title),
            std::move(key),
            seen,
            Align::right,
            [get](const Row& row, WallTime now) {
                const auto time = wall_time((row.*get)());
                return time ? age(*time, now) : std::string();
            },
            [get](const Row& row) { return json_time((row.*get)()); }};
}

// What is not by default and has no column of its own; options that only a newer server knows are among it.
Column<proto::MappingInfo> options_column() {
    const auto text = [](const proto::MappingInfo& row, WallTime) {
        std::vector<std::string> parts;
        for (const auto& given : row.spec().options()) {
            const auto* option = find_mapping_option(given.name());
            if (option == nullptr || option->role == MappingOption::Role::other)
                parts.push_back(fmt::format("{}={}", given.name(), given.value()));
        }
        return fmt::format("{}", fmt::join(parts, ","));
    };
    return {"OPTIONS", "options", Seen::in_lists, Align::left, text, [](const auto&) { return Json(); }};
}

// The values of an option in force.
std::vector<std::string> values_of(const MappingOption& option, const proto::MappingInfo& row) {
    std::vector<std::string> values;
    for (const auto& given : row.spec().options()) {
        if (given.name() == option.name) values.push_back(given.value());
    }
    return values.empty() ? option.print(MappingOptions()) : values;
}

Column<proto::MappingInfo> option_column(const MappingOption& option) {
    using Kind = MappingOption::Kind;
    std::string title(option.name);
    for (auto& c : title) c = c == '_' ? ' ' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    const auto text = [&option](const proto::MappingInfo& row, WallTime) {
        return fmt::format("{}", fmt::join(values_of(option, row), ", "));
    };
    const auto json = [&option](const proto::MappingInfo& row) {
        const auto values = values_of(option, row);
        if (option.kind == Kind::list) return Json(values);
        if (values.empty()) return Json();
        const bool flag = option.kind == Kind::on || option.kind == Kind::off;
        return flag ? Json(values.front() == "true") : Json(values.front());
    };
    return {std::move(title), std::string(option.name), Seen::in_details, Align::left, text, json};
}

// "max_visitors=100, bandwidth_out=50Mbit"
Column<proto::ClientInfo> settings_column() {
    const auto text = [](const proto::ClientInfo& row, WallTime) {
        std::vector<std::string> parts;
        for (const auto& setting : row.settings())
            parts.push_back(fmt::format("{}={}", setting.name(), fmt::join(setting.values(), ",")));
        return parts.empty() ? std::string("none") : fmt::format("{}", fmt::join(parts, " "));
    };
    const auto json = [](const proto::ClientInfo& row) {
        auto object = Json::object();
        for (const auto& setting : row.settings())
            object[setting.name()] =
                std::vector<std::string>(setting.values().begin(), setting.values().end());
        return object;
    };
    return {"SETTINGS", "settings", Seen::in_details, Align::left, text, json};
}

// "denied=12, at_once=3"
Column<proto::MappingInfo> refusals_column() {
    const auto text = [](const proto::MappingInfo& row, WallTime) {
        std::vector<std::string> parts;
        for (const auto& refusal : row.refusals())
            parts.push_back(fmt::format("{}={}", refusal.reason(), refusal.count()));
        return fmt::format("{}", fmt::join(parts, ", "));
    };
    const auto json = [](const proto::MappingInfo& row) {
        auto object = Json::object();
        for (const auto& refusal : row.refusals()) object[refusal.reason()] = refusal.count();
        return object;
    };
    return {"REFUSED BY REASON", "refusals", Seen::in_details, Align::left, text, json};
}

// "2 of 3 up" in lists; each of them in JSON. Details have a table of their own.
Column<proto::MappingInfo> members_column() {
    const auto text = [](const proto::MappingInfo& row, WallTime) {
        if (row.members().empty()) return std::string();
        const auto up = std::count_if(row.members().begin(), row.members().end(),
                                      [](const auto& member) { return member.state() == "up"; });
        return fmt::format("{} of {} up", up, row.members_size());
    };
    const auto json = [](const proto::MappingInfo& row) {
        return to_json_list(member_columns(), row.members());
    };
    return {"MEMBERS", "members", Seen::everywhere, Align::left, text, json};
}

}  // namespace

Columns<proto::MemberInfo> member_columns() {
    using Row = proto::MemberInfo;
    return {
        text_column("MEMBER", "member", &Row::service),
        text_column("CLIENT", "client", &Row::client),
        text_column("MAPPING", "mapping", &Row::mapping),
        text_column("STATE", "state", &Row::state),
        number_column("VISITORS", "visitors", &Row::visitors),
        number_column("WEIGHT", "weight", &Row::weight),
        flag_column("BACKUP", "backup", &Row::backup),
        text_column("REASON", "reason", &Row::reason),
    };
}

Columns<proto::MappingInfo> mapping_columns(const proto::MappingList& list) {
    auto columns = mapping_columns();
    const bool any = std::any_of(list.mappings().begin(), list.mappings().end(),
                                 [](const auto& mapping) { return !mapping.members().empty(); });
    for (auto& column : columns) {
        if (column.key == "members" && !any) column.seen = Seen::in_json;
    }
    return columns;
}

Columns<proto::MappingInfo> mapping_columns(const proto::MappingInfo& mapping) {
    auto columns = mapping_columns();
    const auto is_given = [&](const std::string& name) {
        return std::any_of(mapping.spec().options().begin(), mapping.spec().options().end(),
                           [&](const auto& given) { return given.name() == name; });
    };
    for (auto& column : columns) {
        const bool group =
            std::any_of(group_option_table().begin(), group_option_table().end(),
                        [&](const MappingOption& option) { return option.name == column.key; });
        if (group ? !is_given(column.key) : column.key == "members" && mapping.members().empty())
            column.seen = Seen::in_json;
    }
    return columns;
}

Columns<proto::ClientInfo> client_columns() {
    using Row = proto::ClientInfo;
    Columns<Row> columns{
        text_column("NAME", "name", &Row::name),
        text_column("STATE", "state", &Row::state),
        text_column("ADDRESS", "address", &Row::address),
        age_column("LAST SEEN", "last_seen_at", &Row::last_seen_at),
        number_column("MAPPINGS", "mappings", &Row::mappings),
        number_column("VISITORS", "visitors", &Row::visitors),
        age_column("CREATED", "created_at", &Row::created_at),
        age_column("EXPIRES", "expires_at", &Row::expires_at),
    };
    columns.back().text = [](const Row& row, WallTime now) {
        const auto time = wall_time(row.expires_at());
        return time ? distance(*time, now) : std::string("never");
    };
    columns.push_back(bytes_column("TRAFFIC", "traffic", &Row::traffic));
    columns.back().seen = Seen::in_details;
    columns.back().text = [](const Row& row, WallTime) {
        return row.traffic() == 0 ? std::string("none counted")
                                  : fmt::format("{} in {}", format_bytes(row.traffic()), row.traffic_month());
    };
    columns.push_back(settings_column());
    return columns;
}

Columns<proto::MappingInfo> mapping_columns() {
    using Row = proto::MappingInfo;
    Columns<Row> columns{
        text_column("NAME", "name", &Row::name),
        text_column("CLIENT", "client", &Row::client),
        text_column("STATE", "state", &Row::state),
        text_column("PUBLIC ADDRESS", "public_address", &Row::public_address),
        text_column("SERVICE", "service", &Row::service),
        members_column(),
        flag_column("ENCRYPT", "encrypt", &Row::encrypt),
        options_column(),
        number_column("VISITORS", "visitors", &Row::visitors),
        number_column("VISITORS TOTAL", "visitors_total", &Row::visitors_total, Seen::in_details),
        bytes_column("BYTES IN", "bytes_in", &Row::bytes_in),
        bytes_column("BYTES OUT", "bytes_out", &Row::bytes_out),
        number_column("REFUSED TOTAL", "refused_total", &Row::refused_total, Seen::in_details),
        refusals_column(),
        number_column("DATAGRAMS IN", "datagrams_in", &Row::datagrams_in, Seen::in_details),
        number_column("DATAGRAMS OUT", "datagrams_out", &Row::datagrams_out, Seen::in_details),
        text_column("DATAGRAMS DROPPED", "datagrams_dropped", &Row::datagrams_dropped, Seen::in_details),
        text_column("DATAGRAMS BY", "datagrams_by", &Row::datagrams_by, Seen::in_details),
        text_column("SOURCE", "source", &Row::source),
        text_column("PROTOCOL", "protocol", &Row::protocol, Seen::in_details),
        number_column("PORT", "port", &Row::port, Seen::in_details),
        text_column("LAST ERROR", "last_error", &Row::last_error, Seen::in_details),
        age_column("LAST ERROR AT", "last_error_at", &Row::last_error_at, Seen::in_json),
    };
    for (const auto& option : mapping_option_table()) {
        if (option.role == MappingOption::Role::other) columns.push_back(option_column(option));
    }
    for (auto& column : columns) {
        if (column.key == "public_address")
            column.text = [](const Row& row, WallTime) { return public_url(row); };
        if (column.key == "port")
            column.text = [](const Row& row, WallTime) {
                return row.port() == 0 ? std::string("not chosen yet") : fmt::format("{}", row.port());
            };
        if (column.key == "last_error")
            column.text = [](const Row& row, WallTime now) {
                const auto time = wall_time(row.last_error_at());
                return row.last_error().empty() || !time
                           ? row.last_error()
                           : fmt::format("{} ({} ago)", row.last_error(), age(*time, now));
            };
    }
    return columns;
}

Columns<proto::SessionInfo> session_columns() {
    using Row = proto::SessionInfo;
    Columns<Row> columns{
        text_column("CLIENT", "client", &Row::client),
        text_column("SLOT", "slot", &Row::slot),
        text_column("ADDRESS", "address", &Row::address),
        text_column("WAY", "way", &Row::way),
        text_column("SOFTWARE", "software", &Row::software),
        age_column("SINCE", "since", &Row::since),
        number_column("MAPPINGS", "mappings", &Row::mappings),
        number_column("VISITORS", "visitors", &Row::visitors),
        number_column("READY", "ready", &Row::ready),
        text_column("CIPHER", "cipher", &Row::cipher),
        number_column("ROUND TRIP", "round_trip_us", &Row::round_trip_us),
    };
    columns.back().text = [](const Row& row, WallTime) {
        return row.round_trip_us() == 0 ? std::string()
                                        : fmt::format("{:.1f} ms", row.round_trip_us() / 1000.0);
    };
    return columns;
}

Columns<proto::ConnectionInfo> connection_columns() {
    using Row = proto::ConnectionInfo;
    return {
        number_column("ID", "id", &Row::id),
        text_column("MAPPING", "mapping", &Row::mapping),
        text_column("CLIENT", "client", &Row::client),
        text_column("VISITOR", "visitor", &Row::visitor),
        text_column("SERVICE", "service", &Row::service),
        age_column("SINCE", "since", &Row::since),
        bytes_column("BYTES IN", "bytes_in", &Row::bytes_in),
        bytes_column("BYTES OUT", "bytes_out", &Row::bytes_out),
        flag_column("ENCRYPT", "encrypt", &Row::encrypt),
    };
}

Columns<proto::StatusInfo> status_columns() {
    using Row = proto::StatusInfo;
    const auto listen_text = [](const Row& row, WallTime) {
        return fmt::format("{}", fmt::join(row.listen().begin(), row.listen().end(), ", "));
    };
    const auto listen_json = [](const Row& row) {
        auto list = Json::array();
        for (const auto& address : row.listen()) list.push_back(address);
        return list;
    };
    return {
        text_column("VERSION", "version", &Row::version),
        age_column("UP FOR", "started_at", &Row::started_at),
        {"LISTEN", "listen", Seen::everywhere, Align::left, listen_text, listen_json},
        text_column("PUBLIC HOST", "public_host", &Row::public_host),
        number_column("WORKERS", "workers", &Row::workers),
        number_column("CLIENTS", "clients", &Row::clients),
        number_column("SESSIONS", "sessions", &Row::sessions),
        number_column("MAPPINGS", "mappings", &Row::mappings),
        number_column("VISITORS", "visitors", &Row::visitors),
        number_column("VISITORS TOTAL", "visitors_total", &Row::visitors_total),
        bytes_column("BYTES IN", "bytes_in", &Row::bytes_in),
        bytes_column("BYTES OUT", "bytes_out", &Row::bytes_out),
        number_column("DATA CONNECTIONS", "data_connections", &Row::data_connections),
        number_column("USED AGAIN", "data_connections_reused", &Row::data_connections_reused),
        number_column("REFUSED TICKETS", "refused_tickets", &Row::refused_tickets),
        number_column("REFUSED LOGINS", "refused_logins", &Row::refused_logins),
        number_column("GARBAGE CONNECTIONS", "garbage_connections", &Row::garbage_connections),
        text_column("CONFIG FILE", "config_file", &Row::config_file),
        flag_column("DRAINING", "draining", &Row::draining),
    };
}

std::string public_url(const proto::MappingInfo& mapping) {
    if (mapping.public_address().empty()) return {};
    return tunnel::public_url(mapping.protocol(), mapping.public_address());
}

std::string summary(const proto::MappingInfo& mapping) {
    const auto url = public_url(mapping);
    return printable(fmt::format("{}: {} -> {} (client {}: {})", mapping.name(),
                                 url.empty() ? "no public address yet" : url, mapping.service(),
                                 mapping.client(), mapping.state()));
}

}  // namespace tunnel::ctl
