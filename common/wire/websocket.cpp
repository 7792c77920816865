#include "common/wire/websocket.hpp"

#include <algorithm>

namespace tunnel::wire {

namespace {

constexpr Byte final_bit = 0x80;
constexpr Byte reserved_bits = 0x70;
constexpr Byte opcode_bits = 0x0f;
constexpr Byte mask_bit = 0x80;
constexpr Byte size_bits = 0x7f;
constexpr Byte size_in_2_bytes = 126;
constexpr Byte size_in_8_bytes = 127;

tl::unexpected<Error> broken(std::string_view what) {
    return fail(Errc::protocol, "the other end broke the WebSocket protocol: {}", what);
}

HttpResponse refusal(unsigned status, std::string reason, std::vector<HttpField> fields) {
    fields.push_back({"Content-Length", "0"});
    fields.push_back({"Connection", "close"});
    return {status, std::move(reason), {std::move(fields)}};
}

void apply_mask(MutableBytes bytes, const WebSocketMask& mask, std::size_t at) {
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] ^= mask[(at + i) % mask.size()];
}

std::string hint_of(unsigned status) {
    switch (status) {
        case 400:
        case 426:
            return "a proxy or web server on the way takes the upgrade away; have it pass the fields Upgrade "
                   "and "
                   "Connection on";
        case 401:
        case 407:
            return "something in front of the server asks for a login; have it let /tunnel pass without";
        case 403:
            return "something in front of the server forbids it; have it let /tunnel pass";
        case 404:
            return "there is a web server, and it does not pass /tunnel on to tunnel-server: see "
                   "deploy/samples/nginx.conf";
        case 502:
        case 503:
        case 504:
            return "the web server in front does not reach tunnel-server: is it running, and does the "
                   "address in "
                   "the web server's config match [websocket] listen?";
        default:
            return "is this the server's address, and does its web server pass /tunnel on to tunnel-server?";
    }
}

}  // namespace

HttpRequest websocket_request(std::string_view host, std::string_view key) {
    return {"GET",
            std::string(websocket_path),
            {{{"Host", std::string(host)},
              {"Connection", "Upgrade"},
              {"Upgrade", "websocket"},
              {"Sec-WebSocket-Version", "13"},
              {"Sec-WebSocket-Key", std::string(key)},
              {"Sec-WebSocket-Protocol", std::string(websocket_protocol)}}}};
}

tl::expected<std::string, HttpResponse> judge_websocket_request(const HttpRequest& request) {
    if (request.target != websocket_path) return tl::unexpected(refusal(404, "Not Found", {}));
    if (request.method != "GET")
        return tl::unexpected(refusal(405, "Method Not Allowed", {{"Allow", "GET"}}));
    const auto& fields = request.fields;
    const auto key = fields.find("Sec-WebSocket-Key");
    constexpr std::size_t key_size = 24;
    if (!fields.lists("Upgrade", "websocket") || !fields.lists("Connection", "upgrade") ||
        fields.find("Sec-WebSocket-Version") != "13")
        return tl::unexpected(
            refusal(426, "Upgrade Required", {{"Upgrade", "websocket"}, {"Sec-WebSocket-Version", "13"}}));
    if (!key || key->size() != key_size || !fields.lists("Sec-WebSocket-Protocol", websocket_protocol))
        return tl::unexpected(refusal(400, "Bad Request", {}));
    return std::string(*key);
}

HttpResponse websocket_response(std::string_view accept) {
    return {101,
            "Switching Protocols",
            {{{"Connection", "Upgrade"},
              {"Upgrade", "websocket"},
              {"Sec-WebSocket-Accept", std::string(accept)},
              {"Sec-WebSocket-Protocol", std::string(websocket_protocol)}}}};
}

Status judge_websocket_response(const HttpResponse& response, std::string_view accept) {
    if (response.status != 101)
        return fail(Errc::unavailable, "the WebSocket upgrade was refused with HTTP {} {}: {}",
                    response.status, response.reason, hint_of(response.status));
    const auto& fields = response.fields;
    if (!fields.lists("Upgrade", "websocket") || !fields.lists("Connection", "upgrade") ||
        fields.find("Sec-WebSocket-Accept") != accept ||
        fields.find("Sec-WebSocket-Protocol") != websocket_protocol)
        return fail(
            Errc::protocol,
            "the WebSocket upgrade was answered by something that is no tunnel-server: does the web server "
            "pass /tunnel on to the right port?");
    return {};
}

void append_websocket_frame(Bytes& out, WebSocketOpcode opcode, BytesView payload,
                            std::optional<WebSocketMask> mask) {
    const std::size_t size = payload.size();
    const Byte masked = mask ? mask_bit : Byte{0};
    out.push_back(static_cast<Byte>(final_bit | static_cast<Byte>(opcode)));
    if (size < size_in_2_bytes) {
        out.push_back(static_cast<Byte>(masked | size));
    } else if (size <= 0xffff) {
        out.push_back(masked | size_in_2_bytes);
        std::array<Byte, 2> encoded{};
        put_be16(encoded, static_cast<std::uint16_t>(size));
        append(out, encoded);
    } else {
        out.push_back(masked | size_in_8_bytes);
        std::array<Byte, 8> encoded{};
        put_be64(encoded, size);
        append(out, encoded);
    }
    if (mask) append(out, *mask);
    const auto begin = out.size();
    append(out, payload);
    if (mask) apply_mask(MutableBytes(out).subspan(begin), *mask, 0);
}

void append_websocket_close(Bytes& out, std::uint16_t status, std::optional<WebSocketMask> mask) {
    std::array<Byte, 2> payload{};
    put_be16(payload, status);
    append_websocket_frame(out, WebSocketOpcode::close, payload, mask);
}

Status WebSocketReader::feed(BytesView bytes, WebSocketInput& input) {
    while (!bytes.empty() && !closed_) {
        if (!in_payload_) {
            const auto taken = std::min(bytes.size(), head_wanted_ - head_size_);
            std::copy_n(bytes.begin(), taken, head_.begin() + static_cast<std::ptrdiff_t>(head_size_));
            head_size_ += taken;
            bytes = bytes.subspan(taken);
            if (head_size_ < head_wanted_) return {};
            if (auto ok = take_head(); !ok) return ok;
            if (!in_payload_) continue;  // the head is longer than its first two bytes
        }
        const auto taken = static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), left_));
        take_payload(bytes.first(taken), input);
        bytes = bytes.subspan(taken);
        if (left_ > 0) return {};
        end_frame(input);
    }
    return {};
}

// Called with the two bytes that every head has, and again with all of it.
Status WebSocketReader::take_head() {
    const Byte size = head_[1] & size_bits;
    const std::size_t size_bytes = size == size_in_8_bytes ? 8 : size == size_in_2_bytes ? 2 : 0;
    const std::size_t mask_bytes = (head_[1] & mask_bit) != 0 ? mask_.size() : 0;
    if (head_wanted_ == 2) {
        if (auto ok = check_head(head_[0], head_[1]); !ok) return ok;
        head_wanted_ += size_bytes + mask_bytes;
        if (head_size_ < head_wanted_) return {};
    }
    const BytesView rest = BytesView(head_).subspan(2);
    left_ = size_bytes == 8 ? get_be64(rest.first(8)) : size_bytes == 2 ? get_be16(rest.first(2)) : size;
    if (left_ >> 63 != 0) return broken("a frame of an impossible size");
    if (mask_bytes > 0)
        std::copy_n(rest.begin() + static_cast<std::ptrdiff_t>(size_bytes), mask_bytes, mask_.begin());
    mask_at_ = 0;
    head_size_ = 0;
    head_wanted_ = 2;
    in_payload_ = true;
    return {};
}

Status WebSocketReader::check_head(Byte first, Byte second) {
    opcode_ = static_cast<WebSocketOpcode>(first & opcode_bits);
    final_ = (first & final_bit) != 0;
    if ((first & reserved_bits) != 0) return broken("a reserved bit is set");
    // RFC 6455 section 5.1.
    const bool masked = (second & mask_bit) != 0;
    if (masked != (our_end_ == End::server))
        return broken(masked ? "a server's frame is masked" : "a client's frame is not masked");
    switch (opcode_) {
        case WebSocketOpcode::close:
        case WebSocketOpcode::ping:
        case WebSocketOpcode::pong:
            if (!final_ || (second & size_bits) > max_websocket_control)
                return broken("a control frame is too long or in parts");
            return {};
        case WebSocketOpcode::binary:
            if (in_message_) return broken("a message begins inside another");
            break;
        case WebSocketOpcode::more:
            if (!in_message_) return broken("a message goes on that has not begun");
            break;
        default:
            return broken("a frame of another kind than binary");
    }
    if (ended_) return broken("data after its end");
    if (opcode_ == WebSocketOpcode::binary) message_empty_ = true;
    in_message_ = true;
    return {};
}

void WebSocketReader::take_payload(BytesView payload, WebSocketInput& input) {
    auto& out = is_control() ? control_ : input.data;
    const auto begin = out.size();
    append(out, payload);
    if (our_end_ == End::server) apply_mask(MutableBytes(out).subspan(begin), mask_, mask_at_);
    mask_at_ = (mask_at_ + payload.size()) % mask_.size();
    left_ -= payload.size();
    if (!is_control() && !payload.empty()) message_empty_ = false;
}

void WebSocketReader::end_frame(WebSocketInput& input) {
    in_payload_ = false;
    if (!is_control()) {
        if (!final_) return;
        in_message_ = false;
        if (message_empty_) input.ended = ended_ = true;
        return;
    }
    auto payload = std::exchange(control_, {});
    if (opcode_ == WebSocketOpcode::ping) input.ping = std::move(payload);
    if (opcode_ == WebSocketOpcode::close) input.closed = closed_ = true;
}

}  // namespace tunnel::wire
