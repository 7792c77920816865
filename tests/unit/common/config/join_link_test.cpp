#include "common/config/join_link.hpp"

#include <gmock/gmock.h>

namespace tunnel::config {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// 32 bytes each: 0x10 0x11 ..., and 0xa0 0xa1 ...
constexpr std::string_view secret_text = "EBESExQVFhcYGRobHB0eHyAhIiMkJSYnKCkqKywtLi8";
constexpr std::string_view pin_text = "oKGio6SlpqeoqaqrrK2ur7CxsrO0tba3uLm6u7y9vr8";

std::string link_text(std::string_view server = "vps.example.com:7000", std::string_view trust = "") {
    return fmt::format("tunnel://home:{}@{}?{}", secret_text, server,
                       trust.empty() ? fmt::format("pin={}", pin_text) : std::string(trust));
}

TEST(JoinLink, GivesItsParts) {
    const auto link = parse_join_link(link_text());
    ASSERT_TRUE(link) << link.error().message;
    EXPECT_EQ(link->client, "home");
    EXPECT_EQ(link->server, (HostPort{"vps.example.com", 7000}));
    ASSERT_EQ(link->secret.size(), 32U);
    EXPECT_EQ(link->secret.reveal()[0], 0x10);
    EXPECT_EQ(link->secret.reveal()[31], 0x2f);
    const auto* pin = std::get_if<Pin>(&link->trust);
    ASSERT_NE(pin, nullptr);
    EXPECT_EQ((*pin)[0], 0xa0);
    EXPECT_EQ((*pin)[31], 0xbf);
}

TEST(JoinLink, KnowsTheSystemsCertificates) {
    const auto link = parse_join_link(link_text("vps.example.com:443", "ca=system"));
    ASSERT_TRUE(link) << link.error().message;
    EXPECT_TRUE(std::holds_alternative<SystemCa>(link->trust));
    EXPECT_EQ(link->server.port, 443);
}

TEST(JoinLink, MaySayThatTheWayIsWebSocket) {
    for (const std::string& trust : {std::string("ca=system"), fmt::format("pin={}", pin_text)}) {
        EXPECT_EQ(parse_join_link(link_text("a:443", trust))->via, Via::unsaid);
        const auto text = link_text("a:443", trust + "&via=wss");
        const auto link = parse_join_link(text);
        ASSERT_TRUE(link) << link.error().message;
        EXPECT_EQ(link->via, Via::websocket);
        EXPECT_EQ(text_of(to_text(*link).reveal()), text);
        EXPECT_FALSE(parse_join_link(link_text("a:443", trust + "&via=ws")));
        EXPECT_FALSE(parse_join_link(link_text("a:443", trust + "&via=wss&via=wss")));
    }
    EXPECT_FALSE(parse_join_link(link_text("a:443", "&via=wss")));
}

TEST(JoinLink, PortDefaultsTo7000) {
    EXPECT_EQ(parse_join_link(link_text("vps"))->server, (HostPort{"vps", 7000}));
    EXPECT_EQ(parse_join_link(link_text("192.0.2.1"))->server, (HostPort{"192.0.2.1", 7000}));
    EXPECT_EQ(parse_join_link(link_text("[2001:db8::1]"))->server, (HostPort{"2001:db8::1", 7000}));
    EXPECT_EQ(parse_join_link(link_text("[2001:db8::1]:80"))->server, (HostPort{"2001:db8::1", 80}));
}

TEST(JoinLink, TakesWhatAPasteBringsAlong) {
    const auto wanted = parse_join_link(link_text()).value();
    for (const auto& pasted : {"  " + link_text() + "\r\n", "\"" + link_text() + "\"",
                               "'" + link_text() + "'\n", " \" " + link_text() + " \" "}) {
        const auto link = parse_join_link(pasted);
        ASSERT_TRUE(link) << link.error().message;
        EXPECT_TRUE(*link == wanted);
    }
}

TEST(JoinLink, TextGoesRoundTrip) {
    for (const auto& text :
         {link_text(), link_text("[2001:db8::1]:80"), link_text("192.0.2.1:1", "ca=system")}) {
        const auto link = parse_join_link(text);
        ASSERT_TRUE(link);
        const Secret again = to_text(*link);
        EXPECT_EQ(text_of(again.reveal()), text);
        EXPECT_TRUE(link->copy() == *link);
    }
}

struct BadLink {
    std::string text;
    std::string_view message;
};

std::vector<BadLink> bad_links() {
    const std::string secret(secret_text);
    const std::string pin(pin_text);
    const std::string tail = "@vps:7000?pin=" + pin;
    return {
        {"", "is empty"},
        {" \n", "is empty"},
        {"\"\"", "is empty"},
        {"https://" + secret + tail, "is not a join link"},
        {secret, "is not a join link"},
        {"Tunnel://home:" + secret + tail, "is not a join link"},
        {"tunnel:/home:" + secret + tail, "is not a join link"},
        {"tunnel://" + secret + tail, "NAME:SECRET@"},
        {"tunnel://home" + tail, "NAME:SECRET@"},
        {"tunnel://home:" + secret, "NAME:SECRET@"},
        {"tunnel://home:" + secret + "@vps:7000", "ends too early"},
        {"tunnel://:" + secret + tail, "the client's name"},
        {"tunnel://my home:" + secret + tail, "the client's name"},
        {"tunnel://" + secret + secret + ":x" + tail, "the client's name"},
        {"tunnel://home:" + tail, "the secret in the join link is damaged"},
        {"tunnel://home:" + secret.substr(1) + tail, "and 42 were found"},
        {"tunnel://home:" + secret + "A" + tail, "and 44 were found"},
        {"tunnel://home:" + secret.substr(0, 42) + "9" + tail, "the secret in the join link is damaged"},
        {"tunnel://home:" + secret.substr(0, 42) + "%" + tail, "the secret in the join link is damaged"},
        {"tunnel://home:" + secret + "@?pin=" + pin, "the server's address"},
        {"tunnel://home:" + secret + "@vps:0?pin=" + pin, "the server's address"},
        {"tunnel://home:" + secret + "@vps:70000?pin=" + pin, "the server's address"},
        {"tunnel://home:" + secret + "@2001:db8::1?pin=" + pin, "the server's address"},
        {"tunnel://home:x@" + secret + "@vps?pin=" + pin, "the secret in the join link is damaged"},
        {"tunnel://home:" + secret + "@" + secret + "@vps?pin=" + pin, "the server's address"},
        {"tunnel://home:" + secret + "@vps/path?pin=" + pin, "the server's address"},
        {"tunnel://home:" + secret + "@vps:7000?", "how to know the server"},
        {"tunnel://home:" + secret + "@vps:7000?" + secret, "how to know the server"},
        {"tunnel://home:" + secret + "@vps:7000?ca=file", "how to know the server"},
        {"tunnel://home:" + secret + "@vps:7000?ca=system&pin=" + pin, "how to know the server"},
        {"tunnel://home:" + secret + "@vps:7000?pin=", "the pin in the join link is damaged"},
        {"tunnel://home:" + secret + "@vps:7000?pin=" + pin.substr(1), "and 42 were found"},
        {"tunnel://home:" + secret + "@vps:7000?pin=" + pin + "&x=1", "the pin in the join link is damaged"},
        {"tunnel://home:" + secret + "@vps:7000?pin=" + pin + " x", "the pin in the join link is damaged"},
        {"'tunnel://home:" + secret + tail, "is not a join link"},
        {"tunnel://home:" + secret + tail + "\"", "the pin in the join link is damaged"},
    };
}

TEST(JoinLink, RefusesOthersSayingWhichPartIsWrong) {
    for (const auto& bad : bad_links()) {
        const auto link = parse_join_link(bad.text);
        ASSERT_FALSE(link) << bad.text;
        EXPECT_EQ(link.error().code, Errc::invalid);
        EXPECT_THAT(link.error().message, HasSubstr(bad.message)) << bad.text;
    }
}

TEST(JoinLink, NoMessageQuotesTheSecret) {
    for (const auto& bad : bad_links()) {
        const auto message = parse_join_link(bad.text).error().message;
        EXPECT_THAT(message, Not(HasSubstr("EBESE"))) << bad.text;
        EXPECT_THAT(message, Not(HasSubstr(std::string(secret_text.substr(20))))) << bad.text;
    }
}

TEST(JoinLink, NoPrefixOfALinkIsALink) {
    const auto text = link_text();
    for (std::size_t size = 0; size < text.size(); ++size)
        EXPECT_FALSE(parse_join_link(std::string_view(text).substr(0, size))) << size;
}

}  // namespace
}  // namespace tunnel::config
