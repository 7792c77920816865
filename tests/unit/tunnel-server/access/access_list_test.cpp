#include "tunnel-server/access/access_list.hpp"

#include <gtest/gtest.h>

namespace tunnel::server {
namespace {

using Texts = std::vector<std::string_view>;

std::vector<std::shared_ptr<const NetworkSet>> sets(const Texts& texts) {
    std::vector<Network> networks;
    for (const auto text : texts) networks.push_back(*parse_network(text));
    if (networks.empty()) return {};
    return {std::make_shared<const NetworkSet>(networks)};
}

bool admits(const Texts& allow, const Texts& deny, std::string_view visitor) {
    return AccessList{sets(allow), sets(deny)}.admits(*parse_ip(visitor));
}

TEST(AccessList, WithoutEntriesEverybodyIsLetIn) {
    EXPECT_TRUE(admits({}, {}, "203.0.113.7"));
    EXPECT_TRUE(AccessList().empty());
}

TEST(AccessList, WhatIsNotAllowedIsRefusedOnceSomethingIs) {
    EXPECT_TRUE(admits({"10.0.0.0/8"}, {}, "10.1.2.3"));
    EXPECT_FALSE(admits({"10.0.0.0/8"}, {}, "11.1.2.3"));
    EXPECT_FALSE(admits({"10.0.0.0/8"}, {}, "2001:db8::1"));
}

TEST(AccessList, WhatIsNotDeniedIsLetInWhereNothingIsAllowed) {
    EXPECT_FALSE(admits({}, {"2001:db8::/32"}, "2001:db8::1"));
    EXPECT_TRUE(admits({}, {"2001:db8::/32"}, "2001:db9::1"));
}

TEST(AccessList, TheLongerPrefixWinsAndDenyBetweenEquals) {
    EXPECT_FALSE(admits({"10.0.0.0/8"}, {"10.1.0.0/16"}, "10.1.2.3"));
    EXPECT_TRUE(admits({"10.0.0.0/8", "10.1.2.0/24"}, {"10.1.0.0/16"}, "10.1.2.3"));
    EXPECT_TRUE(admits({"10.1.2.3"}, {"0.0.0.0/0"}, "10.1.2.3"));
    EXPECT_FALSE(admits({"10.0.0.0/8"}, {"10.0.0.0/8"}, "10.1.2.3"));
}

TEST(AccessList, SeveralSetsCountAsOne) {
    AccessList list;
    list.allow = sets({"10.0.0.0/8"});
    list.allow.push_back(sets({"10.1.2.3"}).front());
    list.deny = sets({"10.1.0.0/16"});
    EXPECT_TRUE(list.admits(*parse_ip("10.1.2.3")));
    EXPECT_FALSE(list.admits(*parse_ip("10.1.2.4")));
    EXPECT_TRUE(list.admits(*parse_ip("10.2.0.1")));
}

}  // namespace
}  // namespace tunnel::server
