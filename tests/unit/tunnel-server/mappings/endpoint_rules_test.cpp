#include "tunnel-server/mappings/endpoint_rules.hpp"

#include <gmock/gmock.h>

namespace tunnel::server {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using wire::MappingSource;

EndpointRules rules_of(std::vector<IpAddress> bind) {
    return {std::move(bind),
            {{6000, 6010}, {8000, 8000}},
            [](Port port) { return port == 7000; },
            "vps.example.com",
            {*parse_unix_path_pattern("/run/tunnel/*")}};
}

PublicEndpoint tcp(std::string_view text) {
    return *parse_public_ports(Protocol::tcp, text);
}

PublicEndpoint socket_at(const std::string& path) {
    PublicEndpoint endpoint;
    endpoint.path = path;
    return endpoint;
}

Errc verdict(const EndpointRules& rules, MappingSource source, const PublicEndpoint& endpoint) {
    const auto checked = check_rules(rules, source, endpoint);
    return checked ? Errc{} : checked.error().code;
}

TEST(EndpointRules, EveryPortOfAClientsRangeIsJudged) {
    const auto rules = rules_of({*parse_ip("::")});
    EXPECT_TRUE(check_rules(rules, MappingSource::client, tcp("6000-6010")));
    EXPECT_TRUE(check_rules(rules, MappingSource::client, tcp("8000")));
    EXPECT_THAT(
        check_rules(rules, MappingSource::client, tcp("6005-6012")).error().message,
        HasSubstr("port 6011 is not among the ports that the server lets clients take (6000-6010, 8000)"));
    EXPECT_TRUE(check_rules(rules, MappingSource::admin, tcp("6005-6012")));
    EXPECT_TRUE(check_rules(rules, MappingSource::admin, tcp("65535")));
}

TEST(EndpointRules, TheTunnelPortIsNobodys) {
    const auto rules = rules_of({*parse_ip("::")});
    EXPECT_THAT(check_rules(rules, MappingSource::admin, tcp("6990-7010")).error().message,
                HasSubstr("port 7000 is the server's own tunnel port"));
    EXPECT_EQ(verdict(rules, MappingSource::client, tcp("192.0.2.1:7000")), Errc::conflict);
}

TEST(EndpointRules, AClientMayNarrowTheAddressesAndNotWidenThem) {
    const auto everywhere = rules_of({*parse_ip("::")});
    EXPECT_TRUE(check_rules(everywhere, MappingSource::client, tcp("192.0.2.1:8000")));
    EXPECT_TRUE(check_rules(everywhere, MappingSource::client, tcp("[::]:8000")));
    const auto v4 = rules_of({*parse_ip("0.0.0.0")});
    EXPECT_TRUE(check_rules(v4, MappingSource::client, tcp("192.0.2.1:8000")));
    EXPECT_EQ(verdict(v4, MappingSource::client, tcp("[2001:db8::1]:8000")), Errc::not_allowed);
    const auto one = rules_of({*parse_ip("192.0.2.1")});
    EXPECT_TRUE(check_rules(one, MappingSource::client, tcp("192.0.2.1:8000")));
    EXPECT_THAT(
        check_rules(one, MappingSource::client, tcp("192.0.2.2:8000")).error().message,
        HasSubstr("192.0.2.2 is not among the addresses on which the server opens public ports (192.0.2.1)"));
    EXPECT_EQ(verdict(one, MappingSource::client, tcp("[::]:8000")), Errc::not_allowed);
    EXPECT_TRUE(check_rules(one, MappingSource::admin, tcp("192.0.2.2:8000")));
}

TEST(EndpointRules, AClientMakesUnixSocketsOnlyWhereItIsLet) {
    auto rules = rules_of({});
    EXPECT_TRUE(check_rules(rules, MappingSource::client, socket_at("/run/tunnel/web.sock")));
    EXPECT_THAT(
        check_rules(rules, MappingSource::client, socket_at("/etc/web.sock")).error().message,
        HasSubstr("(/run/tunnel/*): choose one of those, or have the server's admin change allow_unix"));
    EXPECT_TRUE(check_rules(rules, MappingSource::admin, socket_at("/etc/web.sock")));
    rules.allow_unix.clear();
    EXPECT_THAT(check_rules(rules, MappingSource::client, socket_at("/run/tunnel/x")).error().message,
                HasSubstr("(none)"));
}

TEST(EndpointRules, TellWhereToListenAndWhatVisitorsAreTold) {
    auto rules = rules_of({*parse_ip("::1"), *parse_ip("192.0.2.1")});
    EXPECT_THAT(addresses_of(rules, tcp("80")), ElementsAre(*parse_ip("::1"), *parse_ip("192.0.2.1")));
    EXPECT_THAT(addresses_of(rules, tcp("192.0.2.7:80")), ElementsAre(*parse_ip("192.0.2.7")));
    EXPECT_EQ(public_address(rules, tcp("80")), "vps.example.com:80");
    EXPECT_EQ(public_address(rules, tcp("6000-6010")), "vps.example.com:6000-6010");
    EXPECT_EQ(public_address(rules, tcp("192.0.2.7:80")), "192.0.2.7:80");
    EXPECT_EQ(public_address(rules, tcp("[::]:80")), "vps.example.com:80");
    EXPECT_EQ(public_address(rules, socket_at("/run/x")), "/run/x");
    rules.public_host = "2001:db8::1";
    EXPECT_EQ(public_address(rules, tcp("80")), "[2001:db8::1]:80");
}

}  // namespace
}  // namespace tunnel::server
