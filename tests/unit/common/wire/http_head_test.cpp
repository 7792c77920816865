#include "common/wire/http_head.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tunnel::wire {
namespace {

Result<HttpResponse> response(std::string_view text) {
    return parse_http_response(view_of(text));
}

Result<HttpRequest> request(std::string_view text) {
    return parse_http_request(view_of(text));
}

TEST(HttpHead, ItsSizeEndsWithTheEmptyLine) {
    const std::string head = "HTTP/1.1 200 OK\r\nA: b\r\n\r\n";
    for (std::size_t i = 0; i < head.size(); ++i) {
        const auto size = http_head_size(view_of(head).first(i));
        ASSERT_TRUE(size) << i;
        EXPECT_FALSE(*size) << i;
    }
    EXPECT_EQ(http_head_size(view_of(head + "body")).value(), head.size());
    EXPECT_EQ(http_head_size(view_of("GET / HTTP/1.1\n\nbody")).value(), 16U);
}

TEST(HttpHead, AHeadWithoutEndIsRefusedAtItsLimit) {
    const std::string endless(max_http_head, 'a');
    EXPECT_TRUE(http_head_size(view_of(endless).first(max_http_head - 1)));
    const auto size = http_head_size(view_of(endless));
    ASSERT_FALSE(size);
    EXPECT_EQ(size.error().code, Errc::limit);
}

TEST(HttpHead, AResponse) {
    const auto read = response(
        "HTTP/1.0 407 Proxy Authentication Required\r\nProxy-Authenticate:  Basic realm=\"x\" \r\n"
        "via: a\r\nVIA:b\r\n\r\n");
    ASSERT_TRUE(read);
    EXPECT_EQ(read->status, 407U);
    EXPECT_EQ(read->reason, "Proxy Authentication Required");
    EXPECT_EQ(read->fields.find("proxy-authenticate"), "Basic realm=\"x\"");
    EXPECT_EQ(read->fields.find("Via"), "a");
    EXPECT_EQ(read->fields.find("nothing"), std::nullopt);
}

TEST(HttpHead, AReasonMayBeMissing) {
    EXPECT_EQ(response("HTTP/1.1 200\r\n\r\n").value().status, 200U);
    EXPECT_EQ(response("HTTP/1.1 200 \r\n\r\n").value().reason, "");
}

TEST(HttpHead, ARequest) {
    const auto read = request("GET /tunnel HTTP/1.1\r\nConnection: keep-alive, Upgrade\r\n\r\n");
    ASSERT_TRUE(read);
    EXPECT_EQ(read->method, "GET");
    EXPECT_EQ(read->target, "/tunnel");
    EXPECT_TRUE(read->fields.lists("connection", "upgrade"));
    EXPECT_FALSE(read->fields.lists("connection", "grade"));
}

TEST(HttpHead, WhatIsWrittenIsReadAgain) {
    const HttpRequest asked{
        "CONNECT", "vps.example.com:7000", {{{"Host", "vps.example.com:7000"}, {"A", ""}}}};
    EXPECT_EQ(request(to_text(asked)).value(), asked);
    const HttpResponse answered{101, "Switching Protocols", {{{"Upgrade", "websocket"}}}};
    EXPECT_EQ(response(to_text(answered)).value(), answered);
}

TEST(HttpHead, WhatIsNoHttpIsRefusedAndNotQuoted) {
    for (const auto* text :
         {"", "\r\n\r\n", "SSH-2.0-OpenSSH_secret\r\n\r\n", "HTTP/2 200 secret\r\n\r\n",
          "HTTP/1.1 20 secret\r\n\r\n", "HTTP/1.1 2000 secret\r\n\r\n", "HTTP/1.1 099 secret\r\n\r\n",
          "HTTP/1.1 +20 secret\r\n\r\n", "HTTP/1.1 200 OK\r\nsecret\r\n\r\n",
          "HTTP/1.1 200 OK\r\n secret: folded\r\n\r\n", "HTTP/1.1 200 OK\r\nA: sec\x01ret\r\n\r\n",
          "HTTP/1.1 200 OK\r\nsecret : b\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\nsecret"}) {
        const auto read = response(text);
        ASSERT_FALSE(read) << text;
        EXPECT_EQ(read.error().code, Errc::protocol) << text;
        EXPECT_THAT(read.error().message, testing::Not(testing::HasSubstr("secret")));
    }
    for (const auto* text :
         {"GET / HTTP/1.1 \r\n\r\n", "GET /\r\n\r\n", "GET  HTTP/1.1\r\n\r\n", "G T / / HTTP/1.1\r\n\r\n",
          "GET /\x7f HTTP/1.1\r\n\r\n", "GE(T / HTTP/1.1\r\n\r\n"})
        EXPECT_FALSE(request(text)) << text;
}

TEST(HttpHead, TooManyFieldsAreRefused) {
    std::string head = "HTTP/1.1 200 OK\r\n";
    for (std::size_t i = 0; i < max_http_fields; ++i) head += "a: b\r\n";
    EXPECT_TRUE(response(head + "\r\n"));
    const auto read = response(head + "a: b\r\n\r\n");
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().code, Errc::limit);
}

}  // namespace
}  // namespace tunnel::wire
