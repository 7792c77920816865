#pragma once
// The proxy on the way to the server, as people write it: in client.toml or in the environment. Sans-I/O.

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "common/core/address.hpp"
#include "common/core/result.hpp"
#include "common/core/secret.hpp"

namespace tunnel::client {

struct Proxy {
    enum class Kind { none, http, socks5 };
    Kind kind = Kind::none;
    HostPort address;
    std::string user;  // empty: none
    Secret password;

    Proxy copy() const { return {kind, address, user, password.copy()}; }
    bool operator==(const Proxy&) const = default;
};

// "none", "http://[USER[:PASSWORD]@]HOST:PORT" or "socks5://..." (socks5h:// is the same: the proxy resolves
// names). Without a scheme it is http. % stands before two hex digits in user and password. Errors quote
// nothing, since any part may be the password in the wrong place.
Result<Proxy> parse_proxy(std::string_view text);

// "the HTTP proxy proxy.lan:3128": without its login.
std::string to_string(const Proxy& proxy);

// What the environment says about this server, as curl(1) reads it: https_proxy, HTTPS_PROXY, all_proxy or
// ALL_PROXY, the first that is set, unless no_proxy or NO_PROXY names the server. Errors name the variable.
using Environment = std::function<std::optional<std::string>(const char* name)>;
Result<Proxy> proxy_of_environment(const Environment& environment, const HostPort& server);
// This process's.
std::optional<std::string> environment_of_process(const char* name);

// Whether a list such as "localhost,.example.com,10.0.0.0/8,vps.example.com:7000" names the server; * names
// all. A name stands for what ends in it, too.
bool names_server(std::string_view no_proxy, const HostPort& server);

}  // namespace tunnel::client
