#include "common/wire/websocket.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/common/wire/seeded_random.hpp"

namespace tunnel::wire {
namespace {

using Opcode = WebSocketOpcode;
constexpr std::string_view key = "dGhlIHNhbXBsZSBub25jZQ==";
constexpr std::string_view accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
constexpr WebSocketMask mask{0x37, 0xfa, 0x21, 0x3d};

HttpRequest good_request() {
    return websocket_request("vps.example.com", key);
}

void set(HttpFields& fields, std::string_view name, std::string value) {
    for (auto& field : fields.all) {
        if (field.name == name) field.value = value;
    }
}

TEST(WebSocketUpgrade, BothEndsAgree) {
    const auto request = parse_http_request(view_of(to_text(good_request())));
    ASSERT_TRUE(request);
    EXPECT_EQ(judge_websocket_request(*request).value(), key);
    EXPECT_TRUE(judge_websocket_response(websocket_response(accept), accept));
}

TEST(WebSocketUpgrade, AWebServerMayWriteTheFieldsItsOwnWay) {
    auto request = good_request();
    set(request.fields, "Connection", "keep-alive, upgrade");
    set(request.fields, "Upgrade", "WebSocket");
    EXPECT_TRUE(judge_websocket_request(request));
}

TEST(WebSocketUpgrade, OtherRequestsGetAnAnswer) {
    const auto status_of = [](const HttpRequest& request) {
        const auto judged = judge_websocket_request(request);
        return judged ? 0U : judged.error().status;
    };
    auto elsewhere = good_request();
    elsewhere.target = "/";
    EXPECT_EQ(status_of(elsewhere), 404U);
    auto posted = good_request();
    posted.method = "POST";
    EXPECT_EQ(status_of(posted), 405U);
    EXPECT_EQ(status_of({"GET", std::string(websocket_path), {}}), 426U);
    auto old = good_request();
    set(old.fields, "Sec-WebSocket-Version", "8");
    EXPECT_EQ(status_of(old), 426U);
    auto foreign = good_request();
    set(foreign.fields, "Sec-WebSocket-Protocol", "chat");
    EXPECT_EQ(status_of(foreign), 400U);
    auto short_key = good_request();
    set(short_key.fields, "Sec-WebSocket-Key", "dGhl");
    EXPECT_EQ(status_of(short_key), 400U);
}

TEST(WebSocketUpgrade, EveryRefusalSaysWhatToDo) {
    for (const unsigned status : {200U, 400U, 401U, 403U, 404U, 407U, 426U, 502U}) {
        const auto judged = judge_websocket_response({status, "Sorry", {}}, accept);
        ASSERT_FALSE(judged);
        EXPECT_THAT(judged.error().message, testing::HasSubstr(fmt::format("HTTP {} Sorry: ", status)));
    }
    EXPECT_FALSE(judge_websocket_response(websocket_response("other"), accept));
    auto foreign = websocket_response(accept);
    set(foreign.fields, "Sec-WebSocket-Protocol", "chat");
    EXPECT_FALSE(judge_websocket_response(foreign, accept));
}

Bytes frame(Opcode opcode, BytesView payload, bool masked) {
    Bytes out;
    append_websocket_frame(out, opcode, payload, masked ? std::optional(mask) : std::nullopt);
    return out;
}

Bytes frame(Opcode opcode, std::string_view payload, bool masked) {
    return frame(opcode, view_of(payload), masked);
}

// RFC 6455 section 5.7, with binary for text.
TEST(WebSocketFrame, TheExamplesOfTheRfc) {
    EXPECT_EQ(frame(Opcode::binary, "Hello", false), (Bytes{0x82, 5, 'H', 'e', 'l', 'l', 'o'}));
    EXPECT_EQ(frame(Opcode::binary, "Hello", true),
              (Bytes{0x82, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58}));
    const Bytes long_payload(256);
    EXPECT_EQ(BytesView(frame(Opcode::binary, long_payload, false)).first(4)[1], 0x7e);
    const Bytes longer_payload(65536);
    const auto longer = frame(Opcode::binary, longer_payload, false);
    EXPECT_EQ(Bytes(longer.begin(), longer.begin() + 10), (Bytes{0x82, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0}));
}

TEST(WebSocketReader, AnyPayloadInAnyPiecesFromBothEnds) {
    SeededRandom random;
    for (const bool masked : {false, true}) {
        for (const std::size_t size : {1UL, 125UL, 126UL, 65535UL, 65536UL, 100'000UL}) {
            const auto payload = random.bytes(size);
            const auto bytes = frame(Opcode::binary, payload, masked);
            WebSocketReader reader(masked ? End::server : End::client);
            WebSocketInput input;
            for (BytesView rest = bytes; !rest.empty();) {
                const auto piece = rest.first(std::min<std::size_t>(rest.size(), 1 + random.below(size)));
                ASSERT_TRUE(reader.feed(piece, input));
                rest = rest.subspan(piece.size());
            }
            EXPECT_EQ(input.data, payload);
            EXPECT_FALSE(input.ended);
        }
    }
}

TEST(WebSocketReader, AnEmptyMessageEndsTheStreamAndAnEmptyPartDoesNot) {
    WebSocketReader reader(End::client);
    WebSocketInput input;
    ASSERT_TRUE(reader.feed(Bytes{0x02, 1, 'a', 0x80, 0}, input));  // one message of two parts
    EXPECT_FALSE(input.ended);
    ASSERT_TRUE(reader.feed(Bytes{0x82, 0}, input));
    EXPECT_TRUE(input.ended);
    EXPECT_EQ(input.data, Bytes{'a'});
    EXPECT_FALSE(reader.feed(Bytes{0x82, 1, 'b'}, input)) << "nothing comes after the end";
}

TEST(WebSocketReader, ControlFramesComeBetweenThePartsOfAMessage) {
    WebSocketReader reader(End::client);
    WebSocketInput input;
    ASSERT_TRUE(reader.feed(Bytes{0x02, 1, 'a', 0x89, 2, 'h', 'i', 0x8a, 0, 0x80, 1, 'b'}, input));
    EXPECT_EQ(input.data, (Bytes{'a', 'b'}));
    EXPECT_EQ(input.ping, (Bytes{'h', 'i'}));
    EXPECT_FALSE(input.closed);
}

TEST(WebSocketReader, ACloseFrameIsTheLast) {
    Bytes bytes;
    append_websocket_close(bytes, 1000, mask);
    append(bytes, view_of("anything"));
    WebSocketReader reader(End::server);
    WebSocketInput input;
    ASSERT_TRUE(reader.feed(bytes, input));
    EXPECT_TRUE(input.closed);
    EXPECT_TRUE(input.data.empty());
}

TEST(WebSocketReader, WhatBreaksTheProtocolIsRefused) {
    const std::vector<std::pair<std::string, Bytes>> cases{
        {"masked by the server", frame(Opcode::binary, "x", true)},
        {"a reserved bit", {0xc2, 1, 'x'}},
        {"text", {0x81, 1, 'x'}},
        {"an unknown kind", {0x83, 1, 'x'}},
        {"a part of nothing", {0x80, 1, 'x'}},
        {"a message inside another", {0x02, 1, 'x', 0x82, 1, 'y'}},
        {"a ping in parts", {0x09, 1, 'x'}},
        {"a long ping", {0x89, 126, 0, 126}},
        {"an impossible size", {0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0}},
    };
    for (const auto& [name, bytes] : cases) {
        WebSocketReader reader(End::client);
        WebSocketInput input;
        const auto ok = reader.feed(bytes, input);
        ASSERT_FALSE(ok) << name;
        EXPECT_EQ(ok.error().code, Errc::protocol) << name;
    }
    WebSocketReader server(End::server);
    WebSocketInput input;
    EXPECT_FALSE(server.feed(frame(Opcode::binary, "x", false), input)) << "a client masks";
}

}  // namespace
}  // namespace tunnel::wire
