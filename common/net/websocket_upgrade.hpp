#pragma once
// The upgrade of a OuterStream to WebSocket (RFC 6455 section 4), from either end. The caller keeps a
// Deadline on the outer stream's socket.

#include <string>

#include "common/net/outer_stream.hpp"
#include "common/wire/http_head.hpp"

namespace tunnel::net {

// The client's: asks for wire::websocket_path at `host`, as it stands in a URL.
awaitable<Status> ask_for_websocket(OuterStream& outer, std::string host);

// The server's: reads a request and answers it. The request is for its fields; the error says what was
// refused.
awaitable<Result<wire::HttpRequest>> answer_websocket(OuterStream& outer);

}  // namespace tunnel::net
