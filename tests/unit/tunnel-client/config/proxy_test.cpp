#include "tunnel-client/config/proxy.hpp"

#include <gmock/gmock.h>

#include <map>

namespace tunnel::client {
namespace {

using testing::HasSubstr;
using testing::Not;

Proxy good(std::string_view text) {
    auto proxy = parse_proxy(text);
    EXPECT_TRUE(proxy) << text << ": " << proxy.error().message;
    return proxy ? std::move(*proxy) : Proxy{};
}

std::string_view password_of(const Proxy& proxy) {
    return text_of(proxy.password.reveal());
}

TEST(Proxy, OfEachKind) {
    EXPECT_EQ(good("none").kind, Proxy::Kind::none);
    const auto http = good("http://proxy.lan:3128");
    EXPECT_EQ(http.kind, Proxy::Kind::http);
    EXPECT_EQ(http.address, (HostPort{"proxy.lan", 3128}));
    EXPECT_EQ(http.user, "");
    EXPECT_EQ(good("proxy.lan:3128").kind, Proxy::Kind::http);
    EXPECT_EQ(good("HTTP://proxy.lan:3128/").kind, Proxy::Kind::http);
    EXPECT_EQ(good("socks5://[::1]:1080").address, (HostPort{"::1", 1080}));
    EXPECT_EQ(good("socks5h://127.0.0.1:1080").kind, Proxy::Kind::socks5);
}

TEST(Proxy, WithALogin) {
    const auto proxy = good("http://me:p%40ss%3A%2f@proxy.lan:3128");
    EXPECT_EQ(proxy.user, "me");
    EXPECT_EQ(password_of(proxy), "p@ss:/");
    EXPECT_EQ(proxy.address, (HostPort{"proxy.lan", 3128}));
    EXPECT_EQ(password_of(good("socks5://me:an@sign@proxy.lan:1080")), "an@sign");
    EXPECT_EQ(password_of(good("http://me@proxy.lan:3128")), "");
}

TEST(Proxy, ItsTextTellsNoLogin) {
    EXPECT_EQ(to_string(good("http://me:geheim@proxy.lan:3128")), "the HTTP proxy proxy.lan:3128");
    EXPECT_EQ(to_string(good("socks5://me:geheim@[::1]:1080")), "the SOCKS5 proxy [::1]:1080");
}

TEST(Proxy, RefusesOthersAndQuotesNothing) {
    for (const auto* text :
         {"", "proxy.lan", "http://", "http://proxy.lan", "http://proxy.lan:0",
          "https://u:geheim@proxy.lan:443", "socks4://geheim:1080", "ftp://geheim:21",
          "http://u:gehe%im@proxy.lan:1", "http://u:geheim%0a@proxy.lan:1", "http://:geheim@proxy.lan:1",
          "http://a%3ab:geheim@proxy.lan:1", "socks5://geheim@proxy.lan:1", "http://u:p@geheim",
          "http://u:p@proxy.lan:1/geheim"}) {
        const auto proxy = parse_proxy(text);
        ASSERT_FALSE(proxy) << text;
        EXPECT_EQ(proxy.error().code, Errc::invalid);
        EXPECT_THAT(proxy.error().message, Not(HasSubstr("geheim"))) << text;
    }
    EXPECT_FALSE(parse_proxy("http://" + std::string(256, 'u') + "@proxy.lan:1"));
}

TEST(NoProxy, NamesServers) {
    const HostPort server{"vps.Example.com", 7000};
    for (const auto* list : {"*", "vps.example.com", "example.com", ".example.com", "*.example.com",
                             "a,b , example.com", "vps.example.com:7000"})
        EXPECT_TRUE(names_server(list, server)) << list;
    for (const auto* list :
         {"", ",", "ample.com", "vps.example.com:443", "other.vps.example.com", "10.0.0.0/8"})
        EXPECT_FALSE(names_server(list, server)) << list;
    EXPECT_TRUE(names_server("10.0.0.0/8", {"10.1.2.3", 1}));
    EXPECT_TRUE(names_server("::1", {"::1", 1}));
    EXPECT_FALSE(names_server("10.0.0.0/8,0.0.1", {"192.0.2.1", 1}));
}

class OfEnvironment : public testing::Test {
  protected:
    Result<Proxy> proxy() {
        const auto look_up = [this](const char* name) -> std::optional<std::string> {
            const auto found = variables.find(name);
            return found == variables.end() ? std::nullopt : std::optional(found->second);
        };
        return proxy_of_environment(look_up, {"vps.example.com", 7000});
    }
    std::map<std::string, std::string> variables;
};

TEST_F(OfEnvironment, NothingMeansNone) {
    EXPECT_EQ(proxy()->kind, Proxy::Kind::none);
    variables["http_proxy"] = "http://never:1";
    variables["HTTPS_PROXY"] = "";
    EXPECT_EQ(proxy()->kind, Proxy::Kind::none);
}

TEST_F(OfEnvironment, TheMoreSpecificComesFirst) {
    variables["ALL_PROXY"] = "socks5://d:4";
    EXPECT_EQ(proxy()->address.port, 4);
    variables["all_proxy"] = "socks5://c:3";
    EXPECT_EQ(proxy()->address.port, 3);
    variables["HTTPS_PROXY"] = "http://b:2";
    EXPECT_EQ(proxy()->address.port, 2);
    variables["https_proxy"] = "http://a:1";
    EXPECT_EQ(proxy()->address.port, 1);
    variables["NO_PROXY"] = "localhost,.example.com";
    EXPECT_EQ(proxy()->kind, Proxy::Kind::none);
}

TEST_F(OfEnvironment, AWrongOneNamesItsVariable) {
    variables["HTTPS_PROXY"] = "http://u:geheim@proxy";
    const auto wrong = proxy();
    ASSERT_FALSE(wrong);
    EXPECT_THAT(wrong.error().message, HasSubstr("HTTPS_PROXY"));
    EXPECT_THAT(wrong.error().message, HasSubstr("proxy = \"none\""));
    EXPECT_THAT(wrong.error().message, Not(HasSubstr("geheim")));
}

}  // namespace
}  // namespace tunnel::client
