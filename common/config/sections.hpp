#pragma once
// Sections that server.toml and client.toml share, and the readers of values that stand in both.

#include "common/config/toml_reader.hpp"
#include "common/core/clock.hpp"
#include "common/core/log.hpp"

namespace tunnel::config {

struct LogOptions {
    LogLevel level = LogLevel::info;
    LogFormat format = LogFormat::text;
    bool operator==(const LogOptions&) const = default;
};

// How a dead peer is noticed: a heartbeat every `interval`, the session ends after `timeout` without a word.
struct HeartbeatOptions {
    Millis interval = Seconds(10);
    Millis timeout = Seconds(30);
    bool operator==(const HeartbeatOptions&) const = default;
};

inline constexpr Millis min_heartbeat_interval = Millis(100);
inline constexpr Millis max_heartbeat_interval = std::chrono::minutes(10);
inline constexpr Millis max_heartbeat_timeout = std::chrono::hours(1);
inline constexpr unsigned max_workers = 1024;

// Whether bulk of encrypted data connections is handed to the kernel, where it has TLS.
enum class KernelTlsChoice { off, automatic };

// interval from 100ms to 10m; timeout at least twice the interval, so that one late heartbeat ends nothing,
// and at most 1h.
Status check_heartbeat(const HeartbeatOptions& heartbeat);

// Read [log] and [heartbeat] of `root`; problems stay with the document.
void read_log(Table& root, LogOptions& out);
void read_heartbeat(Table& root, HeartbeatOptions& out);
// workers: 0 (one per core) to max_workers.
void read_workers(Table& root, unsigned& out);
// kernel_tls: "auto" or "off".
void read_kernel_tls(Table& root, KernelTlsChoice& out);
// A duration from `lowest` to `highest`.
void read_duration(Table& table, std::string_view key, Millis& out, Millis lowest, Millis highest);

}  // namespace tunnel::config
