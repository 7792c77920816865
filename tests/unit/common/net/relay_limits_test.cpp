// How long a relay may last: idle and in all. Time is passed in.

#include <gmock/gmock.h>

#include <deque>

#include "common/net/relay/relay_table.hpp"
#include "tests/unit/common/net/relay_chain.hpp"

namespace tunnel::net {
namespace {

using namespace test;

class RelayLimitsTest : public testing::Test {
  protected:
    void start(std::uint64_t number, RelayLimits limits) {
        auto& pair = pairs_.emplace_back();
        pair.outer.prepare();
        pair.data.prepare();
        const ConnectionId id{number};
        table_.add({id, "home", "web", "visitor", false, WallTime()}, std::move(pair.outer.far),
                   std::move(pair.data.far), std::nullopt);
        table_.limit(id, limits);
        table_.run(id, nullptr, [this](const RelayLabel& label, const RelayResult& result) {
            ended_.emplace_back(label.id.value, std::string(to_string(result.end)));
        });
        loop_.settle();
    }
    void pass(Millis time) {
        now_ += time;
        table_.tend(now_);
        loop_.settle();
    }
    // From the visitor to the client.
    void say(std::size_t pair, std::string_view text) {
        test::send_all(pairs_[pair].outer.near.get(), view_of(text));
        loop_.settle();
        EXPECT_EQ(text_of(test::receive_exactly(pairs_[pair].data.near.get(), text.size())), text);
    }

    struct Pair {
        TcpPair outer;
        TcpPair data;
    };
    TestLoop loop_;
    Lent lent_{loop_};
    std::deque<Pair> pairs_;
    RelayTable table_{lent_.resources()};
    TimePoint now_ = Clock::now();
    std::vector<std::pair<std::uint64_t, std::string>> ended_;
};

TEST_F(RelayLimitsTest, AnIdleRelayIsEndedAndOneThatMovesBytesIsNot) {
    start(1, {Seconds(10), Millis(0)});
    start(2, {Seconds(10), Millis(0)});
    start(3, {});
    pass(Seconds(6));
    say(1, "still here");
    pass(Seconds(6));
    EXPECT_THAT(ended_, testing::ElementsAre(std::pair(1u, "idle")));
    pass(Seconds(6));
    EXPECT_EQ(ended_.size(), 1u);
    pass(Seconds(6));
    EXPECT_THAT(ended_, testing::ElementsAre(std::pair(1u, "idle"), std::pair(2u, "idle")));
    EXPECT_EQ(table_.size(), 1u) << "without limits it goes on";
    EXPECT_EQ(test::end_of(pairs_[0].outer.near.get()), ECONNRESET);
    EXPECT_EQ(test::end_of(pairs_[0].data.near.get()), ECONNRESET);
}

TEST_F(RelayLimitsTest, ALifetimeEndsABusyRelayToo) {
    start(1, {Seconds(10), Seconds(15)});
    for (int i = 0; i < 14; ++i) {
        pass(Seconds(1));
        say(0, "busy");
    }
    EXPECT_TRUE(ended_.empty());
    pass(Seconds(2));
    EXPECT_THAT(ended_, testing::ElementsAre(std::pair(1u, "lifetime")));
    pass(Seconds(100));
    EXPECT_EQ(ended_.size(), 1u);
}

TEST_F(RelayLimitsTest, WhatEndedByItselfIsForgotten) {
    start(1, {Seconds(10), Seconds(15)});
    test::reset(pairs_[0].outer.near);
    ASSERT_TRUE(loop_.run_until([&] { return !ended_.empty(); }));
    pass(Seconds(100));
    EXPECT_THAT(ended_, testing::ElementsAre(std::pair(1u, "outer_failed")));
}

}  // namespace
}  // namespace tunnel::net
