#include "common/net/wakeup.hpp"

#include <gtest/gtest.h>

#include <optional>

#include "common/net/task_group.hpp"
#include "tests/unit/common/net/test_loop.hpp"

namespace tunnel::net {
namespace {

using test::TestLoop;

class WakeupTest : public testing::Test {
  protected:
    void wait_in_a_task() {
        tasks_.spawn([](WakeupTest& test) -> awaitable<void> {
            co_await test.wakeup_->wait();
            ++test.went_on_;
            if (test.destroys_) test.wakeup_.reset();
        }(*this));
        loop_.settle();
        EXPECT_EQ(went_on_, 0);
    }

    TestLoop loop_;
    TaskGroup tasks_{loop_.context().get_executor(), [](const std::exception&) { FAIL(); }};
    std::optional<Wakeup> wakeup_{loop_.context()};
    bool destroys_ = false;
    int went_on_ = 0;
};

TEST_F(WakeupTest, WhoWaitsGoesOnWithinTheCall) {
    wait_in_a_task();
    wakeup_->wake();
    EXPECT_EQ(went_on_, 1);
    wakeup_->wake();
    EXPECT_EQ(went_on_, 1) << "nobody waits any more";
    loop_.settle();
}

TEST_F(WakeupTest, WhoWaitsMayDestroyIt) {
    destroys_ = true;
    wait_in_a_task();
    wakeup_->wake();
    EXPECT_EQ(went_on_, 1);
    EXPECT_FALSE(wakeup_);
    loop_.settle();
}

TEST_F(WakeupTest, CancelGoesOnInATurnOfItsOwn) {
    wait_in_a_task();
    wakeup_->cancel();
    EXPECT_EQ(went_on_, 0);
    loop_.settle();
    EXPECT_EQ(went_on_, 1);
    wakeup_->cancel();
    loop_.settle();
}

TEST_F(WakeupTest, TheEndOfTheTaskEndsTheWait) {
    wait_in_a_task();
    tasks_.cancel();
    EXPECT_EQ(went_on_, 0);
    loop_.settle();
    EXPECT_EQ(went_on_, 1);
}

TEST_F(WakeupTest, CanBeWaitedForAgainAndAgain) {
    int rounds = 0;
    tasks_.spawn([](Wakeup& wakeup, int& count) -> awaitable<void> {
        for (; count < 5; ++count) co_await wakeup.wait();
    }(*wakeup_, rounds));
    loop_.settle();
    for (int i = 0; i < 5; ++i) {
        EXPECT_EQ(rounds, i);
        wakeup_->wake();
    }
    EXPECT_EQ(rounds, 5);
    loop_.settle();
}

}  // namespace
}  // namespace tunnel::net
