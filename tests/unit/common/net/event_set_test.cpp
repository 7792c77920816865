#include "common/net/event_set.hpp"

#include <gtest/gtest.h>
#include <sys/epoll.h>

#include <functional>
#include <string>

#include "tests/unit/common/net/test_loop.hpp"
#include "tests/unit/common/net/test_sockets.hpp"

namespace tunnel::net {
namespace {

using test::TestLoop;

struct Told final : EventSet::Handler {
    void on_events(std::uint32_t events) override { then(events); }
    std::function<void(std::uint32_t)> then;
};

class EventSetTest : public testing::Test {
  protected:
    // What happens to a socket that has bytes to read.
    void when_told(Told& handler, test::TcpPair& pair, std::function<void(std::uint32_t)> then) {
        handler.then = std::move(then);
        ASSERT_EQ(events_.add(pair.far.get(), handler, EventSet::Interest::reading), 0);
        test::send_all(pair.near.get(), view_of("x"));
    }

    TestLoop loop_;
    EventSet events_{loop_.context()};
    test::TcpPair first_;
    test::TcpPair second_;
    std::string order_;
};

TEST_F(EventSetTest, WhatComesAfterTheEventsDoesSo) {
    Told first;
    Told second;
    const auto tell = [this](std::uint32_t) {
        order_ += "event ";
        events_.after_events([this] { order_ += "after "; });
    };
    when_told(first, first_, tell);
    when_told(second, second_, tell);
    loop_.settle();
    EXPECT_EQ(order_, "event event after after ");
    for (auto* pair : {&first_, &second_}) events_.remove(pair->far.get());
    loop_.settle();
}

// The task may destroy the handler.
TEST_F(EventSetTest, AnotherTurnThatWasAskedForComesBeforeWhatComesAfter) {
    Told handler;
    int turns = 0;
    when_told(handler, first_, [&](std::uint32_t) {
        order_ += "event ";
        if (++turns > 1) return;
        events_.again(handler);
        events_.after_events([this] { order_ += "after "; });
    });
    loop_.settle();
    EXPECT_EQ(order_, "event event after ");
    events_.remove(first_.far.get());
    loop_.settle();
}

TEST_F(EventSetTest, OutsideOfAnEventItComesInATurnOfItsOwn) {
    events_.after_events([this] { order_ += "after "; });
    EXPECT_EQ(order_, "");
    loop_.settle();
    EXPECT_EQ(order_, "after ");
}

}  // namespace
}  // namespace tunnel::net
