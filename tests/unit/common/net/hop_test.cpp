#include "common/net/hop.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include "tests/unit/common/net/test_loop.hpp"

namespace tunnel::net {
namespace {

using test::TestLoop;

// A thread with an io_context, as a worker is.
class OtherThread {
  public:
    OtherThread() : keep_running_(context_.get_executor()), thread_([this] { context_.run(); }) {}
    ~OtherThread() {
        keep_running_.reset();
        thread_.join();
    }
    asio::any_io_executor executor() { return context_.get_executor(); }
    std::thread::id id() const { return thread_.get_id(); }

  private:
    asio::io_context context_{1};
    asio::executor_work_guard<asio::io_context::executor_type> keep_running_;
    std::thread thread_;
};

awaitable<std::pair<std::thread::id, std::thread::id>> where_it_runs(asio::any_io_executor target) {
    auto pending = ask(target, [] { return std::this_thread::get_id(); });
    const auto there = co_await std::move(pending);
    co_return std::pair(there, std::this_thread::get_id());
}

TEST(Ask, RunsThereAndComesBackHere) {
    TestLoop loop;
    OtherThread other;
    const auto [there, after] = loop.get(where_it_runs(other.executor()));
    EXPECT_EQ(there, other.id());
    EXPECT_EQ(after, std::this_thread::get_id());
}

awaitable<std::unique_ptr<std::string>> ask_for_a_movable(asio::any_io_executor target) {
    auto argument = std::make_unique<std::string>("there");
    auto pending = ask(target, [argument = std::move(argument)]() mutable {
        argument->append(" and back");
        return std::move(argument);
    });
    auto value = co_await std::move(pending);
    co_return value;
}

TEST(Ask, BringsAMoveOnlyValueBack) {
    TestLoop loop;
    OtherThread other;
    EXPECT_EQ(*loop.get(ask_for_a_movable(other.executor())), "there and back");
}

awaitable<bool> ask_for_nothing(asio::any_io_executor target) {
    auto done = std::make_shared<bool>(false);
    auto pending = ask(target, [done] { *done = true; });
    co_await std::move(pending);
    co_return *done;
}

TEST(Ask, AVoidFunctionHasRunWhenItReturns) {
    TestLoop loop;
    OtherThread other;
    EXPECT_TRUE(loop.get(ask_for_nothing(other.executor())));
}

TEST(Ask, TheOwnThreadMayBeAsked) {
    TestLoop loop;
    EXPECT_TRUE(loop.get(ask_for_nothing(loop.executor())));
}

awaitable<void> ask_in_order(asio::any_io_executor target, std::vector<int>& log, int count) {
    for (int i = 0; i < count; ++i) {
        auto pending = ask(target, [&log, i] { log.push_back(i); });
        co_await std::move(pending);
    }
}

TEST(Ask, QuestionsOfOneAskerAreAnsweredInOrder) {
    TestLoop loop;
    OtherThread other;
    std::vector<int> log;
    loop.spawn(ask_in_order(other.executor(), log, 100));
    loop.run();
    std::vector<int> expected(100);
    std::iota(expected.begin(), expected.end(), 0);
    EXPECT_EQ(log, expected);
}

awaitable<void> add_many(asio::any_io_executor target, long& sum, int count) {
    for (int i = 0; i < count; ++i) {
        auto pending = ask(target, [&sum] { return ++sum; });
        const long before = co_await std::move(pending);
        EXPECT_GT(before, 0);
    }
}

// The counter is unguarded: only the asked thread may ever touch it.
TEST(Ask, SeveralThreadsMayAskOneAtTheSameTime) {
    constexpr int threads = 4;
    constexpr int questions = 500;
    OtherThread asked;
    long sum = 0;
    std::vector<std::thread> askers;
    for (int i = 0; i < threads; ++i) {
        askers.emplace_back([&] {
            TestLoop loop;
            loop.spawn(add_many(asked.executor(), sum, questions));
            loop.spawn(add_many(asked.executor(), sum, questions));
            loop.run();
        });
    }
    for (auto& asker : askers) asker.join();
    EXPECT_EQ(sum, 2L * threads * questions);
}

}  // namespace
}  // namespace tunnel::net
