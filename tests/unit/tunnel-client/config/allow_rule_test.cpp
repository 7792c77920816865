#include "tunnel-client/config/allow_rule.hpp"

#include <gmock/gmock.h>

namespace tunnel::client {
namespace {

using ::testing::HasSubstr;

std::vector<AllowRule> rules(std::initializer_list<std::string_view> texts) {
    std::vector<AllowRule> parsed;
    for (const auto text : texts) {
        auto rule = parse_allow_rule(text);
        EXPECT_TRUE(rule) << text;
        if (rule) parsed.push_back(std::move(*rule));
    }
    return parsed;
}

bool allowed(std::initializer_list<std::string_view> texts, std::string_view host, std::string_view resolved,
             Port port) {
    return allows(rules(texts), host, parse_ip(resolved).value(), port);
}

TEST(AllowRule, OfANetworkMatchesTheResolvedAddress) {
    EXPECT_TRUE(allowed({"192.168.1.0/24"}, "192.168.1.7", "192.168.1.7", 80));
    EXPECT_TRUE(allowed({"192.168.1.0/24"}, "nas.lan", "192.168.1.7", 80));
    EXPECT_FALSE(allowed({"192.168.1.0/24"}, "192.168.1.7", "192.168.2.7", 80))
        << "what was written does not count for a network";
    EXPECT_FALSE(allowed({"192.168.1.0/24"}, "192.168.2.7", "192.168.2.7", 80));
    EXPECT_TRUE(allowed({"fd00::/8"}, "x", "fd12::1", 80));
    EXPECT_FALSE(allowed({"::/0"}, "x", "192.168.1.7", 80));
    EXPECT_TRUE(allowed({"192.168.1.0/24"}, "x", "::ffff:192.168.1.7", 80))
        << "the mapped form is the same address";
}

TEST(AllowRule, OfAHostMatchesWhatWasWritten) {
    EXPECT_TRUE(allowed({"nas.lan"}, "nas.lan", "10.9.8.7", 80));
    EXPECT_TRUE(allowed({"NAS.lan."}, "nas.LAN", "10.9.8.7", 80));
    EXPECT_TRUE(allowed({"nas.lan"}, "nas.lan.", "10.9.8.7", 80));
    EXPECT_FALSE(allowed({"nas.lan"}, "10.9.8.7", "10.9.8.7", 80));
    EXPECT_FALSE(allowed({"nas.lan"}, "xnas.lan", "10.9.8.7", 80));
    EXPECT_FALSE(allowed({"nas.lan"}, "nas.lan.evil.example", "10.9.8.7", 80));
    EXPECT_FALSE(allowed({"nas.lan"}, "", "10.9.8.7", 80));
}

TEST(AllowRule, PortsNarrowIt) {
    EXPECT_TRUE(allowed({"nas.lan:80-90"}, "nas.lan", "10.0.0.1", 80));
    EXPECT_TRUE(allowed({"nas.lan:80-90"}, "nas.lan", "10.0.0.1", 90));
    EXPECT_FALSE(allowed({"nas.lan:80-90"}, "nas.lan", "10.0.0.1", 91));
    EXPECT_TRUE(allowed({"192.168.1.10:80"}, "x", "192.168.1.10", 80));
    EXPECT_FALSE(allowed({"192.168.1.10:80"}, "x", "192.168.1.10", 81));
    EXPECT_TRUE(allowed({"10.0.0.0/8:443"}, "x", "10.1.2.3", 443));
    EXPECT_FALSE(allowed({"10.0.0.0/8:443"}, "x", "10.1.2.3", 444));
    EXPECT_TRUE(allowed({"[fd00::]/8:443"}, "x", "fd00::5", 443));
    EXPECT_FALSE(allowed({"[fd00::]/8:443"}, "x", "fd00::5", 80));
    EXPECT_TRUE(allowed({"[::1]:22"}, "x", "::1", 22));
    EXPECT_FALSE(allowed({"[::1]:22"}, "x", "::1", 23));
    EXPECT_TRUE(allowed({"::1"}, "x", "::1", 65535));
}

TEST(AllowRule, AnyOfThemIsEnoughAndNoneIsNone) {
    EXPECT_TRUE(allowed({"10.0.0.0/8", "nas.lan", "::1"}, "x", "::1", 80));
    EXPECT_FALSE(allowed({}, "127.0.0.1", "127.0.0.1", 80));
}

TEST(AllowRule, DefaultIsLoopbackOnly) {
    EXPECT_EQ(loopback_rules(), rules({"127.0.0.0/8", "::1"}));
    EXPECT_TRUE(allows(loopback_rules(), "localhost", *parse_ip("127.0.0.53"), 1));
    EXPECT_TRUE(allows(loopback_rules(), "localhost", *parse_ip("::1"), 65535));
    EXPECT_FALSE(allows(loopback_rules(), "localhost", *parse_ip("192.168.1.1"), 80));
    EXPECT_FALSE(allows(loopback_rules(), "0.0.0.0", *parse_ip("0.0.0.0"), 80));
    EXPECT_FALSE(allows(loopback_rules(), "::", *parse_ip("::"), 80));
}

TEST(AllowRule, TextGoesRoundTrip) {
    for (const auto* text :
         {"127.0.0.0/8", "::1", "192.168.1.10:80", "nas.lan:80-90", "nas.lan", "[fd00::]/8:443", "fd00::/8",
          "[::1]:22", "0.0.0.0/0", "10.0.0.0/8:1-1024", "unix:/run/x.sock", "unix:/run/app/*"})
        EXPECT_EQ(to_string(parse_allow_rule(text).value()), text);
    EXPECT_EQ(to_string(parse_allow_rule("[fd00::]/8").value()), "fd00::/8");
    EXPECT_EQ(to_string(parse_allow_rule("[::1]").value()), "::1");
    EXPECT_EQ(to_string(parse_allow_rule("NAS.:1-65535").value()), "nas");
}

TEST(AllowRule, RefusesOthersAndShowsTheForms) {
    for (const auto* bad : {"",
                            ":80",
                            "*",
                            "nas lan",
                            "nas.lan:",
                            "nas.lan:0",
                            "nas.lan:90-80",
                            "nas.lan:80:90x",
                            "10.0.0.0/33",
                            "10.0.0.0/",
                            "10.0.0.256",
                            "192.168.1",
                            "[10.0.0.1]:80",
                            "[::1",
                            "[::1]80",
                            "[::1]/129",
                            "[::1]:",
                            "fd00::/8:80",
                            "nas.lan/24",
                            "http://nas.lan",
                            "::1]:22"}) {
        const auto rule = parse_allow_rule(bad);
        ASSERT_FALSE(rule) << bad;
        EXPECT_EQ(rule.error().code, Errc::invalid);
        EXPECT_THAT(rule.error().message, HasSubstr("192.168.1.0/24, nas.lan:80-90 or [fd00::]/8:443"))
            << bad;
    }
}

}  // namespace
}  // namespace tunnel::client
