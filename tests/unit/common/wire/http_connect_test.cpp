#include "common/wire/http_connect.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tunnel::wire {
namespace {

using testing::HasSubstr;

const HostPort target{"vps.example.com", 7000};

Status judge(unsigned status, std::vector<HttpField> fields = {}, bool with_login = false) {
    return judge_connect_response({status, "Sorry", {std::move(fields)}}, target, with_login);
}

TEST(HttpConnect, TheRequest) {
    EXPECT_EQ(text_of(connect_request(target, "", {}).reveal()),
              "CONNECT vps.example.com:7000 HTTP/1.1\r\nHost: vps.example.com:7000\r\n\r\n");
    // RFC 7617 section 2.
    EXPECT_THAT(
        std::string(text_of(connect_request(target, "Aladdin", Secret(view_of("open sesame"))).reveal())),
        HasSubstr("\r\nProxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n\r\n"));
    EXPECT_THAT(std::string(text_of(connect_request({"2001:db8::1", 443}, "", {}).reveal())),
                HasSubstr("CONNECT [2001:db8::1]:443 "));
}

TEST(HttpConnect, AGoodAnswer) {
    EXPECT_TRUE(judge(200));
    EXPECT_TRUE(judge(201));
}

TEST(HttpConnect, ALoginIsAskedFor) {
    const auto asks = judge(407, {{"Proxy-Authenticate", "Basic realm=\"a, b\""}});
    EXPECT_EQ(asks.error().code, Errc::unauthenticated);
    EXPECT_THAT(asks.error().message, HasSubstr("http://USER:PASSWORD@"));
    const auto wrong =
        judge(407, {{"Proxy-Authenticate", "Negotiate"}, {"Proxy-Authenticate", "basic realm=x"}}, true);
    EXPECT_THAT(wrong.error().message, HasSubstr("does not accept"));
    EXPECT_THAT(judge(401, {}, true).error().message,
                HasSubstr("does not accept the user and password (HTTP 401)"));
    EXPECT_EQ(judge(401).error().code, Errc::unauthenticated);
    const auto foreign = judge(407, {{"Proxy-Authenticate", "NTLM"}});
    EXPECT_THAT(foreign.error().message, HasSubstr("other than Basic"));
}

TEST(HttpConnect, EveryRefusalSaysWhatToDo) {
    EXPECT_EQ(judge(403).error().code, Errc::not_allowed);
    EXPECT_THAT(judge(403).error().message, HasSubstr("`servers`"));
    EXPECT_THAT(judge(405).error().message, HasSubstr("is this a proxy"));
    EXPECT_EQ(judge(502).error().code, Errc::unavailable);
    EXPECT_THAT(judge(502).error().message, HasSubstr("vps.example.com:7000 (HTTP 502)"));
    EXPECT_THAT(judge(302).error().message, HasSubstr("HTTP 302 Sorry"));
}

}  // namespace
}  // namespace tunnel::wire
