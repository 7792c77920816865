#include "common/mapping/group_options.hpp"

#include <gmock/gmock.h>

#include "common/mapping/option_table.hpp"
#include "common/mapping/spec.hpp"

namespace tunnel {
namespace {

using ::testing::HasSubstr;
using Words = std::vector<std::pair<std::string, std::string>>;

// A whole mapping, or the sentence that says why it is none.
Result<MappingOptions> mapping_with(const Words& words) {
    OptionReader reader;
    reader.options().name = "web";
    for (const auto& [name, value] : words) {
        if (auto taken = reader.take(*find_mapping_option(name), value); !taken) return pass(taken.error());
    }
    if (auto ok = check_mapping(reader.options()); !ok) return pass(ok.error());
    return reader.options();
}

std::string refusal(Words words) {
    if (words.empty() || words.front().first != "to") words.insert(words.begin(), {"to", "127.0.0.1:1"});
    const auto mapping = mapping_with(words);
    return mapping ? "taken" : mapping.error().message;
}

TEST(GroupOptions, AMemberIsAServiceWithItsWeight) {
    const auto member = parse_member("[::1]:8002,backup,weight=7");
    ASSERT_TRUE(member);
    EXPECT_EQ(to_string(member->service), "[::1]:8002");
    EXPECT_EQ(member->weight, 7u);
    EXPECT_TRUE(member->backup);
    EXPECT_EQ(to_string(*member), "[::1]:8002,weight=7,backup");
    EXPECT_EQ(to_string(*parse_member("8002")), "127.0.0.1:8002");
    EXPECT_EQ(to_string(*parse_member("nas.lan:80-90")), "nas.lan:80-90");
    for (const auto* bad :
         {"", "8002,", "8002,weight=0", "8002,weight=1001", "8002,weight=", "8002,weight=5x",
          "8002,weight=-1", "8002,spare", "8002,,backup", "nonsense,backup", ",backup"})
        EXPECT_FALSE(parse_member(bad)) << bad;
    EXPECT_THAT(parse_member("8002,weight=1001").error().message, HasSubstr("a weight is 1 to 1000"));
    EXPECT_THAT(parse_member("8002,spare").error().message, HasSubstr("\"spare\" in \"8002,spare\""));
}

TEST(GroupOptions, TheServicesBeginWithTheMappingsOwn) {
    const auto mapping =
        mapping_with({{"to", "22"}, {"weight", "3"}, {"member", "23"}, {"member", "24,backup"}});
    ASSERT_TRUE(mapping);
    EXPECT_TRUE(is_group(*mapping));
    const auto services = services_of(*mapping);
    ASSERT_EQ(services.size(), 3u);
    EXPECT_EQ(to_string(services[0]), "127.0.0.1:22,weight=3");
    EXPECT_EQ(to_string(services[2]), "127.0.0.1:24,backup");
    EXPECT_FALSE(is_group(*mapping_with({{"to", "22"}})));
}

TEST(GroupOptions, WhatMakesNoSenseIsRefusedWithASentence) {
    EXPECT_THAT(refusal({{"udp", "53"}, {"member", "unix:/run/dns.sock"}}),
                HasSubstr("its member unix:/run/dns.sock: a Unix socket takes streams only"));
    EXPECT_EQ(refusal({{"udp", "53"}, {"member", "2,backup"}, {"check", "tcp"}, {"group", "site"}}), "taken");
    EXPECT_THAT(refusal({{"tcp", "80-81"}, {"to", "80-81"}, {"member", "90-92"}}),
                HasSubstr("write ranges of the same length"));
    EXPECT_THAT(refusal({{"member", "2"}, {"member", "2,backup"}}),
                HasSubstr("names the service 127.0.0.1:2 twice"));
    EXPECT_THAT(refusal({{"member", "127.0.0.1:1"}}), HasSubstr("names the service 127.0.0.1:1 twice"));
    EXPECT_THAT(refusal({{"weight", "2"}}), HasSubstr("weight, backup and balance choose nothing"));
    EXPECT_THAT(refusal({{"check_rise", "1"}}), HasSubstr("write check = \"tcp\" or \"http\""));
    EXPECT_THAT(refusal({{"check", "tcp"}, {"check_path", "/x"}}), HasSubstr("belong to check = \"http\""));
    EXPECT_THAT(refusal({{"check", "ping"}}), HasSubstr("write tcp, http or none"));
    EXPECT_THAT(refusal({{"check_path", "no slash"}}), HasSubstr("is no path"));
    EXPECT_THAT(refusal({{"check_path", "/a b"}}), HasSubstr("is no path"));
    EXPECT_THAT(refusal({{"check_status", "99"}}), HasSubstr("is no HTTP status"));
    EXPECT_THAT(refusal({{"check_interval", "10ms"}}), HasSubstr("write 100ms to 1h"));
    EXPECT_THAT(refusal({{"check_fall", "0"}}), HasSubstr("write 1 to 100"));
    EXPECT_THAT(refusal({{"balance", "random"}}),
                HasSubstr("round_robin, least_connections or visitor_address"));
    EXPECT_THAT(refusal({{"group", "no good"}}), HasSubstr("group"));
    EXPECT_EQ(refusal({{"group", "site"}, {"weight", "2"}, {"check", "http"}, {"check_path", "/x"}}),
              "taken");
    EXPECT_EQ(refusal({{"unix", "/run/x"}, {"member", "unix:/run/y"}}), "taken");
    Words many;
    for (unsigned i = 0; i <= max_members; ++i) many.emplace_back("member", std::to_string(1000 + i));
    EXPECT_THAT(refusal(many), HasSubstr("one mapping has 100 at most"));
}

TEST(GroupOptions, TheCheckTravelsToTheClientAlone) {
    const auto mapping = mapping_with({{"to", "1"},
                                       {"member", "2"},
                                       {"check", "http"},
                                       {"check_path", "/health"},
                                       {"check_timeout", "300ms"},
                                       {"lifetime", "1h"}});
    ASSERT_TRUE(mapping);
    const auto options = check_options(*mapping);
    EXPECT_EQ(options.size(), 3u);
    const auto check = read_check(options);
    ASSERT_TRUE(check);
    EXPECT_EQ(*check, mapping->group.check);
    auto behind_header = *mapping;
    behind_header.proxy_protocol = wire::ProxyVersion::v2;
    EXPECT_EQ(read_check(check_options(behind_header))->proxy_protocol, wire::ProxyVersion::v2);
    EXPECT_EQ(read_check({{"check_moon", "1"}}).error().code, Errc::version);
    EXPECT_FALSE(read_check({{"to", "1"}}));
    EXPECT_FALSE(read_check({{"check", "maybe"}}));
}

}  // namespace
}  // namespace tunnel
