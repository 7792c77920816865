#include "common/core/address.hpp"

#include <gmock/gmock.h>

namespace tunnel {
namespace {

using ::testing::HasSubstr;

IpAddress ip(std::string_view text) {
    const auto address = parse_ip(text);
    EXPECT_TRUE(address) << text;
    return address.value_or(IpAddress{});
}

Network network(std::string_view text) {
    const auto parsed = parse_network(text);
    EXPECT_TRUE(parsed) << text;
    return parsed.value_or(Network{});
}

TEST(Port, TakesTheWholeRangeAndNothingElse) {
    EXPECT_EQ(parse_port("1"), Port{1});
    EXPECT_EQ(parse_port("65535"), Port{65535});
    for (const auto* bad :
         {"", "0", "65536", "-1", "+1", " 22", "22 ", "22x", "0x16", "99999999999999999999"}) {
        const auto port = parse_port(bad);
        ASSERT_FALSE(port) << bad;
        EXPECT_EQ(port.error().code, Errc::invalid);
        EXPECT_THAT(port.error().message, HasSubstr("write a number from 1 to 65535"));
    }
}

TEST(Port, ZeroOnlyWhereTheCallerAllowsIt) {
    EXPECT_EQ(parse_port("0", PortZero::allowed), Port{0});
    EXPECT_FALSE(parse_port("0", PortZero::refused));
    EXPECT_THAT(parse_port("70000", PortZero::allowed).error().message, HasSubstr("from 0 to 65535"));
}

TEST(HostPort, ReadsNamesAndBothFamilies) {
    EXPECT_EQ(parse_host_port("127.0.0.1:22"), (HostPort{"127.0.0.1", 22}));
    EXPECT_EQ(parse_host_port("nas.lan:80"), (HostPort{"nas.lan", 80}));
    EXPECT_EQ(parse_host_port("my_container-1:80"), (HostPort{"my_container-1", 80}));
    EXPECT_EQ(parse_host_port("example.com.:80"), (HostPort{"example.com.", 80}));
    EXPECT_EQ(parse_host_port("[::1]:22"), (HostPort{"::1", 22}));
    EXPECT_EQ(parse_host_port("[::]:0", PortZero::allowed), (HostPort{"::", 0}));
}

TEST(HostPort, ErrorsSayWhatIsMissing) {
    EXPECT_THAT(parse_host_port("localhost").error().message, HasSubstr("has no port"));
    EXPECT_THAT(parse_host_port("::1:22").error().message, HasSubstr("stands in brackets"));
    EXPECT_THAT(parse_host_port("localhost:0").error().message, HasSubstr("is not a port"));
    EXPECT_THAT(parse_host_port("localhost:").error().message, HasSubstr("is not a port"));
    const std::string long_label(64, 'a');
    const std::string long_name = [] {
        std::string name;
        while (name.size() < 254) name += "abc.";
        return name + "d";
    }();
    for (const auto& bad :
         {std::string(":22"), std::string("[127.0.0.1]:22"), std::string("[]:22"), std::string("[::1]"),
          std::string("[::1:22"), std::string("::zz:22"), std::string("a b:22"), std::string("a..b:22"),
          std::string(".:22"), std::string("user@host:22"), std::string("http://host:22"), long_label + ":22",
          long_name + ":22", std::string("host\0x:22", 9)}) {
        const auto address = parse_host_port(bad);
        ASSERT_FALSE(address) << bad;
        EXPECT_THAT(address.error().message, HasSubstr("is not an address")) << bad;
    }
}

TEST(HostPort, MistypedAddressesAreNotTakenForNames) {
    EXPECT_FALSE(parse_host_port("10.0.0.256:80"));
    EXPECT_FALSE(parse_host_port("192.168.1:80"));
    EXPECT_FALSE(parse_host_port("1234:80"));
    EXPECT_TRUE(parse_host_port("1and1.com:80"));
}

TEST(HostPort, TextGoesRoundTrip) {
    for (const auto* text : {"127.0.0.1:22", "nas.lan:80", "[::1]:22", "[2001:db8::5]:65535"}) {
        EXPECT_EQ(to_string(parse_host_port(text).value()), text);
    }
}

TEST(IpAddress, HoldsIpv4AndItsMappedFormAsOne) {
    EXPECT_EQ(ip("192.0.2.1"), ip("::ffff:192.0.2.1"));
    EXPECT_TRUE(ip("192.0.2.1").is_v4());
    EXPECT_FALSE(ip("::1").is_v4());
    EXPECT_FALSE(ip("::").is_v4());
    EXPECT_EQ(to_string(ip("::ffff:192.0.2.1")), "192.0.2.1");
    EXPECT_EQ(to_string(ip("2001:DB8:0:0:0:0:0:1")), "2001:db8::1");
}

TEST(IpAddress, RefusesWhatIsNoAddress) {
    for (const auto* bad :
         {"", "1.2.3", "1.2.3.4.5", "256.0.0.1", "01.2.3.4", ":::", "[::1]", "fe80::1%eth0", "host"})
        EXPECT_FALSE(parse_ip(bad)) << bad;
    EXPECT_FALSE(parse_ip(std::string_view("1.2.3.4\0", 8))) << "an embedded zero must not cut the text";
}

TEST(IpAddress, KnowsLoopback) {
    EXPECT_TRUE(ip("127.0.0.1").is_loopback());
    EXPECT_TRUE(ip("127.255.0.9").is_loopback());
    EXPECT_TRUE(ip("::1").is_loopback());
    EXPECT_FALSE(ip("128.0.0.1").is_loopback());
    EXPECT_FALSE(ip("::2").is_loopback());
    EXPECT_FALSE(ip("0.0.0.0").is_loopback());
}

TEST(Network, ContainsItsAddresses) {
    EXPECT_TRUE(network("10.0.0.0/8").contains(ip("10.255.255.255")));
    EXPECT_FALSE(network("10.0.0.0/8").contains(ip("11.0.0.0")));
    EXPECT_TRUE(network("192.168.1.128/25").contains(ip("192.168.1.128")));
    EXPECT_FALSE(network("192.168.1.128/25").contains(ip("192.168.1.127")));
    EXPECT_TRUE(network("192.0.2.1").contains(ip("192.0.2.1")));
    EXPECT_FALSE(network("192.0.2.1").contains(ip("192.0.2.2")));
    EXPECT_TRUE(network("fd00::/8").contains(ip("fdff::1")));
    EXPECT_FALSE(network("fd00::/8").contains(ip("fe00::1")));
    EXPECT_TRUE(network("2001:db8::/33").contains(ip("2001:db8:7fff::")));
    EXPECT_FALSE(network("2001:db8::/33").contains(ip("2001:db8:8000::")));
}

TEST(Network, OfOneFamilyNeverContainsTheOther) {
    EXPECT_TRUE(network("0.0.0.0/0").contains(ip("203.0.113.7")));
    EXPECT_FALSE(network("0.0.0.0/0").contains(ip("::1")));
    EXPECT_TRUE(network("::/0").contains(ip("2001:db8::1")));
    EXPECT_FALSE(network("::/0").contains(ip("203.0.113.7")));
}

TEST(Network, BitsBeyondThePrefixDoNotCount) {
    EXPECT_EQ(network("192.168.1.10/24"), network("192.168.1.0/24"));
    EXPECT_TRUE(network("192.168.1.10/24").contains(ip("192.168.1.200")));
    EXPECT_EQ(network("::ffff:10.0.0.0/104"), network("10.0.0.0/8"));
    EXPECT_EQ(network("1.2.3.4/0"), network("0.0.0.0/0"));
}

TEST(Network, TextGoesRoundTrip) {
    for (const auto* text :
         {"10.0.0.0/8", "0.0.0.0/0", "192.0.2.1", "::1", "fd00::/8", "::/0", "2001:db8::/33"})
        EXPECT_EQ(to_string(network(text)), text);
    EXPECT_EQ(to_string(network("::ffff:1.2.3.4/64")), "::/64");
}

TEST(Network, RefusesBadBits) {
    for (const auto* bad : {"10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/x", "10.0.0.0/8/8", "10.0.0.0/-1",
                            "/8", "", "lan/8"}) {
        const auto parsed = parse_network(bad);
        ASSERT_FALSE(parsed) << bad;
        EXPECT_THAT(parsed.error().message, HasSubstr("is not a network")) << bad;
    }
    EXPECT_THAT(parse_network("10.0.0.0/33").error().message, HasSubstr("from 0 to 32"));
    EXPECT_THAT(parse_network("::/129").error().message, HasSubstr("from 0 to 128"));
}

TEST(PortRange, ReadsOnePortOrTwo) {
    EXPECT_EQ(parse_port_range("80"), (PortRange{80, 80}));
    EXPECT_EQ(parse_port_range("1024-65535"), (PortRange{1024, 65535}));
    for (const auto* bad :
         {"", "-", "80-", "-80", "90-80", "0-80", "80-70000", "80 - 90", "80-90-100", "a-b"}) {
        const auto range = parse_port_range(bad);
        ASSERT_FALSE(range) << bad;
        EXPECT_THAT(range.error().message, HasSubstr("write PORT or FIRST-LAST"));
    }
}

TEST(PortRange, ContainsBothEnds) {
    const PortRange range{80, 90};
    EXPECT_TRUE(range.contains(80));
    EXPECT_TRUE(range.contains(90));
    EXPECT_FALSE(range.contains(79));
    EXPECT_FALSE(range.contains(91));
    EXPECT_EQ(to_string(range), "80-90");
    EXPECT_EQ(to_string(PortRange{80, 80}), "80");
}

}  // namespace
}  // namespace tunnel
