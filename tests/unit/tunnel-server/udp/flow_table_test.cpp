#include "tunnel-server/udp/flow_table.hpp"

#include <gtest/gtest.h>

#include <set>

namespace tunnel::server {
namespace {

const TimePoint start{Seconds(1000)};

net::udp::endpoint visitor(Port port, const char* address = "203.0.113.7") {
    return {asio::ip::make_address(address), port};
}

TEST(FlowTable, AFlowIsAVisitorsAddressAtOneSocket) {
    FlowTable flows;
    auto& flow = flows.add(0, visitor(1000), start);
    EXPECT_EQ(flows.find(0, visitor(1000)), &flow);
    EXPECT_EQ(flows.find(flow.id), &flow);
    EXPECT_EQ(flows.find(0, visitor(1001)), nullptr);
    EXPECT_EQ(flows.find(1, visitor(1000)), nullptr);
    EXPECT_EQ(flows.find(0, visitor(1000, "203.0.113.8")), nullptr);
    EXPECT_EQ(flows.find(0, visitor(1000, "2001:db8::1")), nullptr);
    EXPECT_EQ(flows.find(flow.id + 1), nullptr);
}

TEST(FlowTable, NumbersAreNotUsedAgain) {
    FlowTable flows;
    std::set<std::uint32_t> seen;
    for (int i = 0; i < 1000; ++i) {
        auto& flow = flows.add(0, visitor(1000), start);
        EXPECT_NE(flow.id, 0U);
        EXPECT_TRUE(seen.insert(flow.id).second);
        flows.remove(flow);
        EXPECT_EQ(flows.find(0, visitor(1000)), nullptr);
    }
    EXPECT_EQ(flows.size(), 0U);
}

TEST(FlowTable, TheLeastRecentIsTheOneThatWasSilentLongest) {
    FlowTable flows;
    auto& a = flows.add(0, visitor(1), start);
    auto& b = flows.add(0, visitor(2), start + Seconds(1));
    auto& c = flows.add(0, visitor(3), start + Seconds(2));
    EXPECT_EQ(flows.least_recent(false), &a);
    flows.touch(a, start + Seconds(3));
    EXPECT_EQ(flows.least_recent(false), &b);
    EXPECT_EQ(a.last, start + Seconds(3));
    flows.remove(b);
    EXPECT_EQ(flows.least_recent(false), &c);
    flows.remove(c);
    flows.remove(a);
    EXPECT_EQ(flows.least_recent(false), nullptr);
}

TEST(FlowTable, TheAnsweredAreApartFromTheOthers) {
    FlowTable flows;
    auto& a = flows.add(0, visitor(1), start);
    auto& b = flows.add(0, visitor(2), start + Seconds(1));
    auto& c = flows.add(0, visitor(3), start + Seconds(2));
    EXPECT_EQ(flows.least_recent(true), nullptr);
    flows.note_answer(a);
    flows.note_answer(c);
    flows.note_answer(c);
    EXPECT_EQ(flows.least_recent(true), &a);
    EXPECT_EQ(flows.least_recent(false), &b);
    EXPECT_EQ(flows.any(), &b);
    flows.touch(a, start + Seconds(5));
    EXPECT_EQ(flows.least_recent(true), &c);
    flows.remove(b);
    EXPECT_EQ(flows.any(), &c);
    flows.remove(c);
    flows.remove(a);
    EXPECT_EQ(flows.any(), nullptr);
    EXPECT_EQ(flows.size(), 0U);
}

TEST(FlowTable, TenThousandFlowsAreFound) {
    FlowTable flows;
    std::vector<Flow*> all;
    for (Port port = 1; port <= 10'000; ++port) all.push_back(&flows.add(port % 2U, visitor(port), start));
    for (Port port = 1; port <= 10'000; ++port) {
        ASSERT_EQ(flows.find(port % 2U, visitor(port)), all[port - 1U]);
        ASSERT_EQ(flows.find(all[port - 1U]->id), all[port - 1U]);
    }
    EXPECT_EQ(flows.size(), 10'000U);
}

}  // namespace
}  // namespace tunnel::server
