#include "tunnel-server/access/visitor_gate.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace tunnel::server {
namespace {

const TimePoint now{Seconds(1000)};
const IpAddress visitor = *parse_ip("203.0.113.7");

std::shared_ptr<const NetworkSet> set_of(std::string_view network) {
    return std::make_shared<const NetworkSet>(std::vector<Network>{*parse_network(network)});
}

Gate gate(VisitorRules rules) {
    return {std::make_shared<const VisitorRules>(std::move(rules)), std::make_shared<VisitorCount>(0)};
}

Refusal refusal(const Gates& gates) {
    const auto admitted = admit(gates, &visitor, now);
    EXPECT_FALSE(admitted);
    return admitted ? Refusal::proxy_header : admitted.error();
}

TEST(VisitorGate, WithoutRulesEverybodyIsLetIn) {
    EXPECT_TRUE(admit({}, &visitor, now));
    const Gates gates{gate({}), gate({})};
    const auto place = admit(gates, &visitor, now);
    ASSERT_TRUE(place);
    EXPECT_EQ(*gates[0].count, 1U);
    EXPECT_EQ(*gates[1].count, 1U);
}

TEST(VisitorGate, TheListsOfBothCount) {
    VisitorRules deny;
    deny.access.deny = {set_of("203.0.113.0/24")};
    EXPECT_EQ(refusal({gate(deny), gate({})}), Refusal::denied);
    EXPECT_EQ(refusal({gate({}), gate(deny)}), Refusal::denied);
}

TEST(VisitorGate, OfWhoHasNoAddressListsSayNothing) {
    VisitorRules rules;
    rules.access.allow = {set_of("10.0.0.0/8")};
    rules.max_visitors = 1;
    const Gates gates{gate(rules), {}};
    const auto place = admit(gates, nullptr, now);
    EXPECT_TRUE(place);
    EXPECT_EQ(admit(gates, nullptr, now).error(), Refusal::at_once);
}

TEST(VisitorGate, APlaceIsGivenBackWhenTheVisitorGoes) {
    VisitorRules two;
    two.max_visitors = 2;
    const Gates gates{gate({}), gate(two)};
    std::vector<VisitorPlace> places;
    for (int i = 0; i < 2; ++i) places.push_back(std::move(*admit(gates, &visitor, now)));
    EXPECT_EQ(refusal(gates), Refusal::at_once);
    EXPECT_EQ(*gates[0].count, 2U) << "who is refused at one gate is counted at neither";
    places.pop_back();
    EXPECT_TRUE(admit(gates, &visitor, now));
    places.clear();
    EXPECT_EQ(*gates[0].count, 0U);
    EXPECT_EQ(*gates[1].count, 0U);
}

TEST(VisitorGate, RatesAreToldApart) {
    VisitorRules in_all;
    in_all.rate = rate_of({1, 0}, nullptr);
    const Gates first{gate(in_all), {}};
    EXPECT_TRUE(admit(first, &visitor, now));
    EXPECT_EQ(refusal(first), Refusal::per_second);
    VisitorRules of_address;
    of_address.rate = rate_of({0, 1}, nullptr);
    const Gates second{Gate{}, gate(of_address)};
    EXPECT_TRUE(admit(second, &visitor, now));
    EXPECT_EQ(refusal(second), Refusal::address_rate);
    EXPECT_EQ(*second[1].count, 0U);
}

TEST(VisitorGate, WhoIsDeniedUsesUpNoRate) {
    VisitorRules rules;
    rules.access.deny = {set_of("203.0.113.7")};
    rules.rate = rate_of({1, 0}, nullptr);
    const Gates gates{gate(rules), {}};
    for (int i = 0; i < 10; ++i) EXPECT_EQ(refusal(gates), Refusal::denied);
    const auto other = *parse_ip("203.0.113.8");
    EXPECT_TRUE(admit(gates, &other, now));
}

TEST(VisitorGate, AClosedOneSaysThatTheQuotaIsUsedUp) {
    VisitorRules rules;
    rules.closed = true;
    EXPECT_EQ(refusal({gate({}), gate(rules)}), Refusal::quota);
}

TEST(VisitorGate, NewRulesGoOnCountingTheSameRate) {
    auto before = std::make_shared<VisitorRules>();
    before->rate = rate_of({5, 0}, nullptr);
    EXPECT_EQ(rate_of({5, 0}, before), before->rate);
    EXPECT_NE(rate_of({6, 0}, before), before->rate);
    EXPECT_EQ(rate_of({}, before), nullptr);
}

}  // namespace
}  // namespace tunnel::server
