#pragma once
// The ways from here to the server: which address, through which proxy, as it is or inside WebSocket.
// Immutable values, shared by the control connection and the data connections that follow it.

#include <memory>
#include <string>
#include <vector>

#include "common/core/address.hpp"
#include "common/tls/context.hpp"
#include "tunnel-client/config/client_config.hpp"
#include "tunnel-client/config/proxy.hpp"

namespace tunnel::client {

struct Way {
    HostPort server;
    bool websocket = false;
    Proxy proxy;
    std::shared_ptr<const tls::ClientContext> control;  // how the server is known
    std::shared_ptr<const tls::ClientContext> outer;    // of the WebSocket's TLS, which proves nothing

    // Where its first connection goes.
    const HostPort& first_hop() const { return proxy.kind == Proxy::Kind::none ? server : proxy.address; }
    // Most proxies end a connection as soon as either side has ended its half.
    bool keeps_half_close() const { return websocket || proxy.kind == Proxy::Kind::none; }
    bool is_plain() const { return !websocket && proxy.kind == Proxy::Kind::none; }
};
using Ways = std::vector<std::shared_ptr<const Way>>;

// "direct", "websocket", "direct through the HTTP proxy proxy.lan:3128".
std::string to_string(const Way& way);

// In the order in which they are tried: of the link's address and of each in `servers` the direct one, then
// the one inside WebSocket, as `way` and the link's via allow.
Result<Ways> make_ways(const ClientConfig& config, const config::JoinLink& link,
                       const Environment& environment);

}  // namespace tunnel::client
