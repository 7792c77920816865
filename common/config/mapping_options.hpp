#pragma once
// The words that describe a mapping, the same at all three doors: the client's config, `tunnel-client expose`
// and `tunnelctl mapping add`. A new option is added here once, with its rules.

#include <string>
#include <string_view>

#include "common/core/address.hpp"
#include "common/core/result.hpp"

namespace tunnel::config {

struct MappingOptions {
    std::string name;
    Port tcp = 0;  // public port; 0: the server chooses
    HostPort service;
    bool encrypt = true;  // false only for services that encrypt end to end themselves: SSH, HTTPS
    bool operator==(const MappingOptions&) const = default;
};

// Every rule about a mapping that needs no knowledge of other mappings.
Status check_mapping(const MappingOptions& mapping);

// A service as people write it: "192.168.1.10:80", "nas.lan:80", "[::1]:22", or "22" for 127.0.0.1:22.
Result<HostPort> parse_service(std::string_view text);

// The name `expose` gives when its user gives none: "tcp-22" for a service on port 22.
std::string default_mapping_name(const HostPort& service);

}  // namespace tunnel::config
