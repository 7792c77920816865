#include "tunnel-server/access/network_list.hpp"

#include <gmock/gmock.h>

namespace tunnel::server {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

TEST(NetworkList, ReadsAddressesNetworksCommentsAndBlankLines) {
    const auto list = parse_network_list(
        "# friends\n\n10.0.0.0/8\r\n  192.0.2.7\t# the office\n#1.1.1.1\n2001:db8::/32", "f");
    ASSERT_TRUE(list) << list.error().message;
    ASSERT_EQ(list->size(), 3U);
    EXPECT_EQ((*list)[0], *parse_network("10.0.0.0/8"));
    EXPECT_EQ((*list)[1], *parse_network("192.0.2.7"));
    EXPECT_EQ((*list)[2], *parse_network("2001:db8::/32"));
    EXPECT_TRUE(parse_network_list("", "f")->empty());
}

TEST(NetworkList, AnErrorNamesTheFileTheLineAndTheEntry) {
    const auto one = parse_network_list("10.0.0.0/8\n# x\n10.0.0.0/33\n", "/etc/tunnel/list");
    ASSERT_FALSE(one);
    EXPECT_EQ(one.error().code, Errc::invalid);
    EXPECT_THAT(one.error().message, StartsWith("/etc/tunnel/list, line 3: \"10.0.0.0/33\""));
    EXPECT_THAT(one.error().message, Not(HasSubstr("more lines")));
    const auto many = parse_network_list("a\nb\n10.0.0.1 10.0.0.2\n", "f");
    ASSERT_FALSE(many);
    EXPECT_THAT(many.error().message, StartsWith("f, line 1: \"a\""));
    EXPECT_THAT(many.error().message, HasSubstr("(2 more lines are wrong)"));
}

TEST(NetworkList, WhatIsNoListFillsNoLog) {
    const auto list = parse_network_list(std::string(100'000, 'x'), "f");
    ASSERT_FALSE(list);
    EXPECT_LT(list.error().message.size(), 200U);
}

TEST(NetworkList, HasAMaximum) {
    std::string text;
    for (std::size_t i = 0; i < max_list_entries; ++i) text += "::1\n";
    EXPECT_EQ(parse_network_list(text, "f")->size(), max_list_entries);
    const auto more = parse_network_list(text + "::1", "f");
    ASSERT_FALSE(more);
    EXPECT_EQ(more.error().code, Errc::limit);
    EXPECT_THAT(more.error().message, HasSubstr("line 1000001"));
}

}  // namespace
}  // namespace tunnel::server
