#pragma once
// What the server's admin allows one client: `tunnelctl client set NAME ...`. The defaults are those of a
// client for whom nothing was set.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/core/address.hpp"
#include "common/core/visitor_limits.hpp"

namespace tunnel::server {

struct ClientSettings {
    std::vector<PortRange> ports;    // that its config may take; empty: those of allow_ports
    std::vector<std::string> names;  // of its mappings: "web", "game-*"; empty: any
    std::vector<std::string> kinds;  // "tcp", "udp", "unix"; empty: any
    std::vector<std::string>
        groups;  // that its config may share with other clients: "site", "web-*"; empty: none
    std::uint32_t max_mappings = 0;
    VisitorLimits visitors;             // of all its mappings together
    std::uint64_t monthly_traffic = 0;  // bytes in both directions
    bool disabled = false;
    bool operator==(const ClientSettings&) const = default;

    bool allows_port(Port port) const;  // true when no ports are set
    bool allows_name(std::string_view name) const;
    bool allows_kind(std::string_view kind) const;
    bool shares_group(std::string_view group) const;
};

// One setting by its words, as it is stored, sent and shown.
struct SettingText {
    std::string name;
    std::vector<std::string> values;
    bool operator==(const SettingText&) const = default;
};

struct ClientSetting {
    std::string_view name;  // on command lines with - for _
    bool list = false;
    std::string_view value;
    std::string_view help;
    Status (*parse)(std::string_view text, ClientSettings& out);
    std::vector<std::string> (*print)(const ClientSettings& settings);
};
std::span<const ClientSetting> client_setting_table();
const ClientSetting* find_client_setting(std::string_view name);

// Those that are not as for a new client.
std::vector<SettingText> given_settings(const ClientSettings& settings);
// Replaces each setting that is named; no values take it back. An error begins with the setting's name and
// changes nothing.
Status change_settings(ClientSettings& settings, const std::vector<SettingText>& changes);
// "max_mappings=5, bandwidth_in=20Mbit"
std::string settings_summary(const ClientSettings& settings);

}  // namespace tunnel::server
