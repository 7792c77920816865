#include "common/mapping/endpoint.hpp"

#include <gmock/gmock.h>

#include "common/mapping/mapping_options.hpp"

namespace tunnel {
namespace {

using ::testing::HasSubstr;

ServiceAddress service_at(std::string host, Port first, Port last) {
    return {std::move(host), {first, last}, {}};
}

PublicEndpoint tcp(std::string_view text) {
    return *parse_public_ports(Protocol::tcp, text);
}

PublicEndpoint udp(std::string_view text) {
    return *parse_public_ports(Protocol::udp, text);
}

PublicEndpoint socket_at(const std::string& path) {
    PublicEndpoint endpoint;
    endpoint.path = path;
    return endpoint;
}

TEST(Service, ABarePortIsOnThisHost) {
    EXPECT_EQ(parse_service("22"), service_at("127.0.0.1", 22, 22));
    EXPECT_EQ(parse_service("65535"), service_at("127.0.0.1", 65535, 65535));
    EXPECT_EQ(parse_service("6000-6010"), service_at("127.0.0.1", 6000, 6010));
}

TEST(Service, IsHostAndPortOtherwise) {
    EXPECT_EQ(parse_service("nas.lan:80"), service_at("nas.lan", 80, 80));
    EXPECT_EQ(parse_service("[::1]:22"), service_at("::1", 22, 22));
    EXPECT_EQ(parse_service("[::1]:6000-6010"), service_at("::1", 6000, 6010));
    EXPECT_EQ(parse_service("unix:80"), service_at("unix", 80, 80)) << "a host may have that name";
}

TEST(Service, IsAUnixSocketByItsPath) {
    EXPECT_EQ(parse_service("unix:/run/x.sock"), (ServiceAddress{{}, {}, "/run/x.sock"}));
    EXPECT_THAT(parse_service("unix:/run/../x").error().message,
                HasSubstr("is not the path of a Unix socket"));
}

TEST(Service, IsWrittenAsItIsRead) {
    for (const auto* text : {"127.0.0.1:22", "nas.lan:6000-6010", "[fd00::1]:80", "unix:/run/a b.sock"})
        EXPECT_EQ(to_string(*parse_service(text)), text);
}

TEST(Service, RefusesOthersAndShowsTheForms) {
    EXPECT_THAT(parse_service("").error().message, HasSubstr("write PORT or HOST:PORT"));
    EXPECT_THAT(parse_service("ssh").error().message, HasSubstr("write PORT or HOST:PORT"));
    EXPECT_THAT(parse_service("0").error().message, HasSubstr("is not a port"));
    EXPECT_THAT(parse_service("70000").error().message, HasSubstr("is not a port"));
    EXPECT_THAT(parse_service("nas.lan:0").error().message, HasSubstr("is not a port"));
    EXPECT_THAT(parse_service(":22").error().message, HasSubstr("is not an address"));
    EXPECT_THAT(parse_service("nas.lan:9-5").error().message, HasSubstr("is not a port range"));
    EXPECT_THAT(parse_service("1-2000").error().message, HasSubstr("one mapping has 1024 at most"));
}

TEST(PublicPorts, ArePortsOrRangesAfterAnAddressOrNone) {
    EXPECT_EQ(tcp("2222").ports, (PortRange{2222, 2222}));
    EXPECT_FALSE(tcp("2222").address);
    EXPECT_TRUE(tcp("0").port_is_chosen());
    EXPECT_EQ(tcp("6000-6010").size(), 11U);
    EXPECT_EQ(tcp("192.0.2.1:2222").address, parse_ip("192.0.2.1"));
    EXPECT_EQ(tcp("[::]:0").address, parse_ip("::"));
    EXPECT_EQ(udp("53").protocol, Protocol::udp);
    for (const auto* text :
         {"0", "2222", "6000-6010", "192.0.2.1:2222", "[2001:db8::1]:6000-6010", "0.0.0.0:0"})
        EXPECT_EQ(ports_to_string(tcp(text)), text);
}

TEST(PublicPorts, RefuseOthersAndShowTheForms) {
    const auto refusal = [](std::string_view text) {
        const auto parsed = parse_public_ports(Protocol::tcp, text);
        return parsed ? std::string("taken") : parsed.error().message;
    };
    EXPECT_THAT(refusal("70000"), HasSubstr("is not a port: write a number from 0 to 65535"));
    EXPECT_THAT(refusal("0-5"), HasSubstr("is not a port range"));
    EXPECT_THAT(refusal("nas.lan:80"), HasSubstr("is not a public address"));
    EXPECT_THAT(refusal("::1:80"), HasSubstr("is not a public address")) << "no brackets";
    EXPECT_THAT(refusal("[192.0.2.1]:80"), HasSubstr("is not a public address"));
    EXPECT_THAT(refusal("1024-65535"), HasSubstr("64512 ports, and one mapping has 1024 at most"));
}

TEST(PublicEndpoints, OverlapWherePortAndAddressDo) {
    EXPECT_TRUE(overlap(tcp("80"), tcp("80")));
    EXPECT_TRUE(overlap(tcp("6000-6010"), tcp("6010-6020")));
    EXPECT_TRUE(overlap(tcp("80"), tcp("192.0.2.1:80")));
    EXPECT_TRUE(overlap(tcp("[::]:80"), tcp("192.0.2.1:80")));
    EXPECT_FALSE(overlap(tcp("192.0.2.2:80"), tcp("192.0.2.1:80")));
    EXPECT_FALSE(overlap(tcp("80"), udp("80")));
    EXPECT_FALSE(overlap(tcp("6000-6010"), tcp("6011")));
    EXPECT_FALSE(overlap(tcp("0"), tcp("0"))) << "the server finds one for each";
    EXPECT_TRUE(overlap(socket_at("/run/a"), socket_at("/run/a")));
    EXPECT_FALSE(overlap(socket_at("/run/a"), socket_at("/run/b")));
    EXPECT_FALSE(overlap(socket_at("/run/a"), tcp("0")));
}

TEST(Mapping, NeedsANameAndAService) {
    MappingOptions mapping{"ssh", {}, service_at("127.0.0.1", 22, 22)};
    EXPECT_TRUE(check_mapping(mapping));
    mapping.name = "s s";
    EXPECT_THAT(check_mapping(mapping).error().message, HasSubstr("is not a mapping name"));
    mapping = {"ssh", tcp("2222"), {}};
    EXPECT_THAT(check_mapping(mapping).error().message, HasSubstr("\"ssh\" has no service"));
    mapping = {"ssh", tcp("2222"), service_at("nas.lan", 0, 0)};
    EXPECT_FALSE(check_mapping(mapping));
}

TEST(Mapping, HasAsManyPublicPortsAsItsService) {
    MappingOptions mapping{"games", tcp("6000-6010"), service_at("127.0.0.1", 7000, 7010)};
    EXPECT_TRUE(check_mapping(mapping));
    mapping.service = service_at("127.0.0.1", 7000, 7009);
    EXPECT_THAT(check_mapping(mapping).error().message,
                HasSubstr("has 11 public ports and 10 of the service (127.0.0.1:7000-7009)"));
    mapping.endpoint = tcp("0");
    EXPECT_THAT(check_mapping(mapping).error().message, HasSubstr("has 1 public port and 10"));
    mapping = {"web", socket_at("/run/web.sock"), *parse_service("unix:/run/x.sock")};
    EXPECT_TRUE(check_mapping(mapping));
}

TEST(Mapping, TakesDatagramsToNoUnixSocket) {
    const MappingOptions mapping{"dns", udp("53"), *parse_service("unix:/run/x.sock")};
    EXPECT_THAT(check_mapping(mapping).error().message, HasSubstr("a Unix socket takes streams only"));
}

TEST(Mapping, DefaultNameIsAGoodName) {
    const auto name_of = [](const PublicEndpoint& endpoint, std::string_view service) {
        MappingOptions mapping{"", endpoint, *parse_service(service)};
        mapping.name = default_mapping_name(mapping);
        EXPECT_TRUE(check_mapping(mapping)) << mapping.name;
        return mapping.name;
    };
    EXPECT_EQ(name_of({}, "22"), "tcp-22");
    EXPECT_EQ(name_of(tcp("6000-6001"), "nas.lan:6000-6001"), "tcp-6000-6001");
    EXPECT_EQ(name_of(udp("0"), "53"), "udp-53");
    EXPECT_EQ(name_of({}, "unix:/run/my app.sock"), "tcp-my-app.sock");
    EXPECT_EQ(name_of(socket_at("/run/x"), "unix:/" + std::string(90, 'x')), "unix-" + std::string(50, 'x'));
}

}  // namespace
}  // namespace tunnel
