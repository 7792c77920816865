#include "common/config/sections.hpp"

namespace tunnel::config {

Status check_heartbeat(const HeartbeatOptions& heartbeat) {
    if (heartbeat.interval < min_heartbeat_interval || heartbeat.interval > max_heartbeat_interval)
        return fail(Errc::invalid, "the heartbeat's interval of {} is out of range: write {} to {}",
                    format_duration(heartbeat.interval), format_duration(min_heartbeat_interval),
                    format_duration(max_heartbeat_interval));
    if (heartbeat.timeout > max_heartbeat_timeout)
        return fail(Errc::invalid, "the heartbeat's timeout of {} is out of range: write at most {}",
                    format_duration(heartbeat.timeout), format_duration(max_heartbeat_timeout));
    if (heartbeat.timeout < 2 * heartbeat.interval)
        return fail(Errc::invalid,
                    "the heartbeat's timeout of {} is too short for an interval of {}: write at least twice "
                    "the interval, {}",
                    format_duration(heartbeat.timeout), format_duration(heartbeat.interval),
                    format_duration(2 * heartbeat.interval));
    return {};
}

void read_log(Table& root, LogOptions& out) {
    Table table = root.table("log");
    table.read("level", out.level, parse_log_level);
    table.read("format", out.format, parse_log_format);
}

void read_heartbeat(Table& root, HeartbeatOptions& out) {
    Table table = root.table("heartbeat");
    HeartbeatOptions read = out;
    const bool interval = table.read("interval", read.interval, parse_duration);
    const bool timeout = table.read("timeout", read.timeout, parse_duration);
    if (!interval && !timeout) return;
    if (auto checked = check_heartbeat(read); !checked) {
        const bool about_interval =
            read.interval < min_heartbeat_interval || read.interval > max_heartbeat_interval || !timeout;
        table.report(table.position_of(about_interval ? "interval" : "timeout"), checked.error().message);
        return;
    }
    out = read;
}

void read_workers(Table& root, unsigned& out) {
    root.read_number("workers", out, 0, max_workers);
}

void read_kernel_tls(Table& root, KernelTlsChoice& out) {
    root.read("kernel_tls", out, [](std::string_view text) -> Result<KernelTlsChoice> {
        if (text == "auto") return KernelTlsChoice::automatic;
        if (text == "off") return KernelTlsChoice::off;
        return fail(Errc::invalid, "\"{}\" is no choice: write auto or off", text);
    });
}

void read_duration(Table& table, std::string_view key, Millis& out, Millis lowest, Millis highest) {
    table.read(key, out, [&](std::string_view text) -> Result<Millis> {
        auto duration = parse_duration(text);
        if (duration && (*duration < lowest || *duration > highest))
            return fail(Errc::invalid, "\"{}\" is out of range: write {} to {}", text,
                        format_duration(lowest), format_duration(highest));
        return duration;
    });
}

}  // namespace tunnel::config
