#pragma once
// WebSocket (RFC 6455) as the carrier of one TCP-like stream: the upgrade and the frames.
//
// The stream's bytes are the payloads of binary messages, cut anywhere. An empty binary message says that
// this direction has ended (a half-close); the other goes on. Once both have ended each end sends a close
// frame. A connection that ends in any other way was cut, and its stream ends with a reset. Pings keep
// proxies and middle boxes from taking an idle connection for a dead one.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/core/bytes.hpp"
#include "common/core/result.hpp"
#include "common/wire/hello.hpp"
#include "common/wire/http_head.hpp"

namespace tunnel::wire {

// Where the server takes upgrades; a web server in front passes this path on.
constexpr std::string_view websocket_path = "/tunnel";
constexpr std::string_view websocket_protocol = "tunnel.1";

// --- The upgrade (RFC 6455 section 4). `accept` is tls::websocket_accept() of the key.

// `host` as it stands in a URL, with the port unless that is 443; `key` is 16 random bytes in base64.
HttpRequest websocket_request(std::string_view host, std::string_view key);
// The key of a good request; else the answer that tells its sender what is wrong.
tl::expected<std::string, HttpResponse> judge_websocket_request(const HttpRequest& request);
HttpResponse websocket_response(std::string_view accept);
// Errors say what the web server answered and what to do.
Status judge_websocket_response(const HttpResponse& response, std::string_view accept);

// --- Frames (RFC 6455 section 5).

enum class WebSocketOpcode : Byte { more = 0, text = 1, binary = 2, close = 8, ping = 9, pong = 10 };
using WebSocketMask = std::array<Byte, 4>;
constexpr std::size_t max_websocket_control = 125;
// The most that a frame is longer than its payload.
constexpr std::size_t max_websocket_overhead = 14;

// Appends one whole frame. A client masks what it sends, with fresh random bytes each time; a server does
// not. A control frame's payload has at most max_websocket_control bytes.
void append_websocket_frame(Bytes& out, WebSocketOpcode opcode, BytesView payload,
                            std::optional<WebSocketMask> mask);
// A close frame with this status (RFC 6455 section 7.4).
void append_websocket_close(Bytes& out, std::uint16_t status, std::optional<WebSocketMask> mask);

// What some bytes of the peer came to, in this order.
struct WebSocketInput {
    Bytes data;                 // of the stream
    bool ended = false;         // no data comes after this
    std::optional<Bytes> ping;  // to be answered with a pong of the same payload; the latest
    bool closed = false;        // the peer sent a close frame; nothing after it counts
};

// Cuts what the peer sends into frames; holds no payload but a control frame's.
class WebSocketReader {
  public:
    explicit WebSocketReader(End our_end) : our_end_(our_end) {}
    // Adds to `input` what these bytes bring. Errc::protocol when the peer does not keep to the rules above;
    // final.
    Status feed(BytesView bytes, WebSocketInput& input);

  private:
    Status take_head();
    Status check_head(Byte first, Byte second);
    void take_payload(BytesView payload, WebSocketInput& input);
    void end_frame(WebSocketInput& input);
    bool is_control() const { return opcode_ >= WebSocketOpcode::close; }

    End our_end_;
    std::array<Byte, max_websocket_overhead> head_{};
    std::size_t head_size_ = 0;
    std::size_t head_wanted_ = 2;
    bool in_payload_ = false;
    // The frame whose payload comes now.
    WebSocketOpcode opcode_ = WebSocketOpcode::more;
    bool final_ = false;
    WebSocketMask mask_{};
    std::uint64_t left_ = 0;
    std::size_t mask_at_ = 0;
    Bytes control_;
    // The message that is under way.
    bool in_message_ = false;
    bool message_empty_ = true;
    bool ended_ = false;
    bool closed_ = false;
};

}  // namespace tunnel::wire
