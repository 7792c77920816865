#pragma once
// What the server's administrator may point at on the client's side: the client owner's `allow` list.
// Sans-I/O: the caller resolves names.

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/core/address.hpp"
#include "common/core/result.hpp"
#include "common/mapping/unix_path.hpp"

namespace tunnel::client {

// HOST_OR_NETWORK[:PORTS]: "127.0.0.0/8", "::1", "192.168.1.10:80", "nas.lan:80-90", "[fd00::]/8:443".
// Without ports, all of them. Unix sockets: "unix:/run/x.sock", "unix:/run/app/*".
struct AllowRule {
    // The string is a host name in lower case, without a final dot.
    std::variant<Network, std::string, UnixPathPattern> host;
    PortRange ports{1, 65535};
    bool operator==(const AllowRule&) const = default;
};

Result<AllowRule> parse_allow_rule(std::string_view text);
// The shortest text that parse_allow_rule takes back.
std::string to_string(const AllowRule& rule);

// True when a rule allows to dial `resolved`:`port` for a service whose host was written as `host`. A rule
// with a host name matches what was written (letters of either case), whatever it resolves to; a rule with a
// network matches the resolved address, whatever was written.
bool allows(const std::vector<AllowRule>& rules, std::string_view host, const IpAddress& resolved, Port port);
// The same of a Unix socket, which needs a rule that names it.
bool allows_path(const std::vector<AllowRule>& rules, std::string_view path);

// 127.0.0.0/8 and ::1.
std::vector<AllowRule> loopback_rules();

}  // namespace tunnel::client
