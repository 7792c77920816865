#include "common/mapping/option_table.hpp"

#include <gmock/gmock.h>

#include <set>

namespace tunnel {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Kind = MappingOption::Kind;

Result<MappingOptions> with(std::string_view name, std::string_view text) {
    OptionReader reader;
    if (auto taken = reader.take(*find_mapping_option(name), text); !taken) return pass(taken.error());
    return reader.options();
}

TEST(OptionTable, EveryEntryIsWhole) {
    std::set<std::string_view> names;
    for (const auto& option : mapping_option_table()) {
        EXPECT_TRUE(names.insert(option.name).second) << option.name << " twice";
        EXPECT_EQ(find_mapping_option(option.name), &option);
        EXPECT_FALSE(option.help.empty()) << option.name;
        const bool flag = option.kind == Kind::on || option.kind == Kind::off;
        EXPECT_EQ(option.value.empty(), flag) << option.name;
        ASSERT_NE(option.parse, nullptr) << option.name;
        ASSERT_NE(option.print, nullptr) << option.name;
        EXPECT_EQ(option.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_"),
                  std::string_view::npos);
    }
    EXPECT_EQ(find_mapping_option("nonsense"), nullptr);
}

// What print writes by default, parse takes back to the same.
TEST(OptionTable, DefaultsSurviveARoundTrip) {
    for (const auto& option : mapping_option_table()) {
        if (option.role == MappingOption::Role::service) continue;
        MappingOptions options;
        for (const auto& value : option.print(MappingOptions()))
            EXPECT_TRUE(option.parse(value, options)) << option.name << " " << value;
        EXPECT_EQ(options, MappingOptions()) << option.name;
        EXPECT_THAT(given_values(option, MappingOptions()), IsEmpty()) << option.name;
    }
}

TEST(OptionTable, ValuesSurviveARoundTrip) {
    const std::pair<const char*, const char*> samples[] = {
        {"tcp", "2222"},
        {"tcp", "192.0.2.1:6000-6010"},
        {"udp", "0"},
        {"udp", "[::1]:53"},
        {"unix", "/run/a"},
        {"to", "nas.lan:80"},
        {"to", "unix:/run/b"},
        {"encrypt", "false"},
        {"lifetime", "36h"},
        {"idle_timeout", "90s"},
        {"keepalive", "0"},
        {"keepalive", "20s"},
        {"allow", "10.0.0.0/8"},
        {"deny", "list:blocked"},
        {"max_visitors", "5"},
        {"visitors_per_second", "7"},
        {"visitors_per_second_per_address", "2"},
        {"bandwidth_in", "20Mbit"},
        {"bandwidth_out", "5MiB"},
        {"bandwidth_burst", "1MiB"},
        {"proxy_protocol", "v1"},
        {"proxy_protocol", "v2"},
        {"accept_proxy_from", "10.0.0.0/8"},
        {"accept_proxy_from", "unix"},
        {"member", "127.0.0.1:8002,weight=3,backup"},
        {"member", "unix:/run/c"},
        {"weight", "1000"},
        {"backup", "true"},
        {"balance", "least_connections"},
        {"group", "site"},
        {"check", "http"},
        {"check_path", "/health?deep=1"},
        {"check_status", "204"},
        {"check_interval", "100ms"},
        {"check_timeout", "1m"},
        {"check_rise", "1"},
        {"check_fall", "100"},
        {"transport", "stream"},
        {"flow_timeout", "3m"},
    };
    for (const auto& [name, value] : samples) {
        const auto options = with(name, value);
        ASSERT_TRUE(options) << name << " " << options.error().message;
        EXPECT_THAT(given_values(*find_mapping_option(name), *options), ElementsAre(value)) << name;
    }
}

TEST(OptionTable, TimesHaveLimits) {
    EXPECT_EQ(with("idle_timeout", "5m")->times.idle_timeout, std::chrono::minutes(5));
    EXPECT_EQ(with("lifetime", "0")->times.lifetime, Millis(0));
    EXPECT_EQ(with("keepalive", "1500ms")->keepalive, Seconds(2)) << "TCP counts seconds";
    EXPECT_THAT(with("idle_timeout", "500ms").error().message,
                HasSubstr("\"500ms\" is out of range: write 1s to 365d, or 0 for none"));
    EXPECT_THAT(with("keepalive", "5h").error().message, HasSubstr("out of range"));
    EXPECT_FALSE(with("lifetime", "soon"));
    EXPECT_FALSE(with("lifetime", "5"));
}

TEST(OptionTable, BytesThatAreNoTextAreRefused) {
    EXPECT_THAT(with("unix", "/run/\xff.sock").error().message, HasSubstr("not text in UTF-8"));
    EXPECT_TRUE(with("unix", "/run/m\xc3\xbcll.sock"));
}

TEST(OptionTable, DatagramsHaveWordsOfTheirOwn) {
    EXPECT_EQ(with("transport", "datagram")->datagrams.transport, DatagramTransport::datagram);
    EXPECT_THAT(with("transport", "pigeon").error().message,
                HasSubstr("\"pigeon\" is no transport: write auto, stream or datagram"));
    EXPECT_FALSE(with("flow_timeout", "0"));
    EXPECT_THAT(with("flow_timeout", "2d").error().message, HasSubstr("write 1s to 1d"));
    MappingOptions mapping;
    mapping.name = "dns";
    mapping.endpoint.protocol = Protocol::udp;
    mapping.service = *parse_service("53");
    EXPECT_TRUE(check_mapping(mapping));
    mapping.times.lifetime = Seconds(5);
    EXPECT_THAT(check_mapping(mapping).error().message, HasSubstr("flow_timeout does"));
    mapping.times = {};
    mapping.datagrams.transport = DatagramTransport::stream;
    EXPECT_TRUE(check_mapping(mapping));
    mapping.endpoint.protocol = Protocol::tcp;
    EXPECT_THAT(check_mapping(mapping).error().message, HasSubstr("belong to udp mappings"));
}

TEST(OptionTable, AMappingHasOnePublicEndpoint) {
    OptionReader reader;
    ASSERT_TRUE(reader.take(*find_mapping_option("tcp"), "80"));
    EXPECT_THAT(reader.take(*find_mapping_option("unix"), "/run/x").error().message,
                HasSubstr("a mapping has one public endpoint, and tcp names one already"));
}

TEST(OptionTable, FlagsAreSpeltAsOnACommandLine) {
    EXPECT_EQ(flag_of(*find_mapping_option("idle_timeout")), "--idle-timeout");
    EXPECT_EQ(flag_of(*find_mapping_option("encrypt")), "--no-encrypt");
}

TEST(OptionTable, TheSummaryTellsWhatIsNotByDefault) {
    MappingOptions options;
    EXPECT_EQ(options_summary(options), "");
    options.times.idle_timeout = std::chrono::minutes(5);
    options.keepalive = Seconds(0);
    options.encrypt = false;
    EXPECT_EQ(options_summary(options), "idle_timeout=5m,keepalive=0") << "encrypt has a place of its own";
}

TEST(OptionTable, ASummaryNamesAFewOfMany) {
    MappingOptions options;
    for (const auto* network : {"10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5"})
        options.visitors.deny.push_back(*parse_access_entry(network));
    EXPECT_EQ(options_summary(options), "deny=10.0.0.1,deny=10.0.0.2,deny=10.0.0.3,deny=and 2 more");
}

TEST(OptionTable, LongListsBelongIntoAFile) {
    MappingOptions options{"web", {}, *parse_service("80"), true};
    options.visitors.allow.assign(max_networks, *parse_access_entry("10.0.0.1"));
    EXPECT_TRUE(check_mapping(options));
    options.visitors.deny.assign(1, *parse_access_entry("10.0.0.1"));
    EXPECT_THAT(check_mapping(options).error().message, HasSubstr("write list:NAME"));
}

TEST(OptionTable, ProxyHeadersFitTheEndpoint) {
    EXPECT_THAT(with("proxy_protocol", "v3").error().message, HasSubstr("write v1 or v2"));
    MappingOptions options{"web", {}, *parse_service("80"), true};
    options.endpoint.protocol = Protocol::udp;
    options.proxy_protocol = wire::ProxyVersion::v1;
    EXPECT_THAT(check_mapping(options).error().message, HasSubstr("knows of no datagrams: write v2"));
    options.proxy_protocol = wire::ProxyVersion::v2;
    EXPECT_TRUE(check_mapping(options));
    options.accept_proxy_from = {*parse_network("10.0.0.0/8")};
    EXPECT_THAT(check_mapping(options).error().message, HasSubstr("not for datagrams"));
    options.endpoint = {};
    EXPECT_TRUE(check_mapping(options));
    options.accept_proxy_from_unix = true;
    EXPECT_THAT(check_mapping(options).error().message, HasSubstr("no Unix socket for visitors"));
    options.endpoint.path = "/run/web.sock";
    EXPECT_THAT(check_mapping(options).error().message, HasSubstr("write \"unix\" instead"));
    options.accept_proxy_from.clear();
    EXPECT_TRUE(check_mapping(options));
}

}  // namespace
}  // namespace tunnel
