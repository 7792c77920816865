#include "common/net/deadline.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>

#include "tests/unit/common/net/test_loop.hpp"

namespace tunnel::net {
namespace {

using test::TestLoop;

awaitable<void> wait_until_cancelled(asio::steady_timer& timer, bool& ended) {
    co_await timer.async_wait(use_result);
    ended = true;
}

TEST(Deadline, ExpiresAndCallsBackOnce) {
    TestLoop loop;
    int calls = 0;
    const Deadline deadline(loop.executor(), Millis(1), [&calls] { ++calls; });
    EXPECT_FALSE(deadline.expired());
    EXPECT_TRUE(loop.run_until([&] { return deadline.expired(); }));
    loop.settle();
    EXPECT_EQ(calls, 1);
}

TEST(Deadline, EndsWhatACoroutineWaitsFor) {
    TestLoop loop;
    asio::steady_timer never(loop.executor(), asio::steady_timer::time_point::max());
    bool ended = false;
    loop.spawn(wait_until_cancelled(never, ended));
    const Deadline deadline(loop.executor(), Millis(1), [&never] { never.cancel(); });
    loop.run();
    EXPECT_TRUE(ended);
    EXPECT_TRUE(deadline.expired());
}

TEST(Deadline, GoingOutOfScopeCallsItOff) {
    TestLoop loop;
    bool called = false;
    {
        const Deadline deadline(loop.executor(), Seconds(3600), [&called] { called = true; });
    }
    // No work is left: the timer's handler ran and did nothing.
    loop.context().run();
    EXPECT_FALSE(called);
}

TEST(Deadline, GoingWhenItsHandlerIsAlreadyQueuedCallsItOffToo) {
    TestLoop loop;
    bool called = false;
    std::unique_ptr<Deadline> second;
    // Both are due when the loop looks at its timers, so the second's handler is queued when the first runs.
    const Deadline first(loop.executor(), Millis(0), [&second] { second.reset(); });
    second = std::make_unique<Deadline>(loop.executor(), Millis(0), [&called] { called = true; });
    loop.context().run();
    EXPECT_FALSE(second);
    EXPECT_FALSE(called);
}

TEST(Deadline, TheHandlerMayRemoveTheDeadlineItself) {
    TestLoop loop;
    std::unique_ptr<Deadline> deadline;
    std::string seen;
    const std::string long_text(100, 'x');  // owned by the handler, on the heap
    deadline = std::make_unique<Deadline>(loop.executor(), Millis(1), [&deadline, &seen, long_text] {
        deadline.reset();
        seen = long_text;
    });
    EXPECT_TRUE(loop.run_until([&] { return !seen.empty(); }));
    EXPECT_EQ(seen, long_text);
}

awaitable<void> pause_shortly(std::optional<bool>& passed) {
    const bool result = co_await pause_for(Millis(1));
    passed = result;
}

TEST(PauseFor, TellsThatTheTimePassed) {
    TestLoop loop;
    std::optional<bool> passed;
    loop.spawn(pause_shortly(passed));
    loop.run();
    EXPECT_EQ(passed, true);
}

}  // namespace
}  // namespace tunnel::net
