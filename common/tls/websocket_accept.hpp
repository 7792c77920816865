#pragma once
// The one use of SHA-1 here: a WebSocket server shows with it that it has read the request (RFC 6455 section
// 1.3). It protects nothing.

#include <string>
#include <string_view>

namespace tunnel::tls {

// The Sec-WebSocket-Accept that belongs to a Sec-WebSocket-Key.
std::string websocket_accept(std::string_view key);

}  // namespace tunnel::tls
