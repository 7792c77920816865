#include "common/net/task_group.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "common/net/deadline.hpp"
#include "tests/unit/common/net/test_loop.hpp"

namespace tunnel::net {
namespace {

using test::TestLoop;
using testing::ElementsAre;
using testing::IsEmpty;

class TaskGroupTest : public testing::Test {
  protected:
    TestLoop loop_;
    std::vector<std::string> bugs_;
    TaskGroup group_{loop_.executor(), [this](const std::exception& bug) { bugs_.emplace_back(bug.what()); }};
    std::vector<std::string> story_;
};

awaitable<void> wait_for_ever(std::vector<std::string>& story) {
    const bool passed = co_await pause_for(Seconds(3600));
    story.emplace_back(passed ? "time passed" : "wait cancelled");
}

awaitable<void> wait_twice(std::vector<std::string>& story) {
    const bool passed = co_await pause_for(Seconds(3600));
    story.emplace_back(passed ? "time passed" : "first wait cancelled");
    co_await pause_for(Seconds(3600));
    story.emplace_back("second wait ended");
}

awaitable<void> take_turns(int turns, std::vector<std::string>& story) {
    for (int i = 0; i < turns; ++i) co_await asio::post(asio::use_awaitable);
    story.emplace_back("worked");
}

awaitable<void> throw_bug() {
    co_await asio::post(asio::use_awaitable);
    throw std::runtime_error("a bug");
}

awaitable<void> join_group(TaskGroup& group, std::vector<std::string>& story) {
    co_await group.join();
    story.emplace_back("joined");
}

awaitable<void> spawn_another(TaskGroup& group, std::vector<std::string>& story) {
    co_await asio::post(asio::use_awaitable);
    group.spawn(take_turns(5, story));
}

TEST_F(TaskGroupTest, JoinWaitsForEveryTask) {
    group_.spawn(take_turns(3, story_));
    group_.spawn(take_turns(20, story_));
    EXPECT_EQ(group_.size(), 2u);
    loop_.spawn(join_group(group_, story_));
    loop_.run();
    EXPECT_THAT(story_, ElementsAre("worked", "worked", "joined"));
    EXPECT_EQ(group_.size(), 0u);
}

TEST_F(TaskGroupTest, JoinOfAnEmptyGroupReturnsAtOnce) {
    loop_.spawn(join_group(group_, story_));
    loop_.run();
    EXPECT_THAT(story_, ElementsAre("joined"));
}

TEST_F(TaskGroupTest, JoinWaitsForTasksSpawnedMeanwhile) {
    group_.spawn(spawn_another(group_, story_));
    loop_.spawn(join_group(group_, story_));
    loop_.run();
    EXPECT_THAT(story_, ElementsAre("worked", "joined"));
}

TEST_F(TaskGroupTest, CancelEndsWaitsWithAnError) {
    group_.spawn(wait_for_ever(story_));
    group_.spawn(wait_for_ever(story_));
    loop_.settle();
    group_.cancel();
    loop_.spawn(join_group(group_, story_));
    loop_.run();
    EXPECT_THAT(story_, ElementsAre("wait cancelled", "wait cancelled", "joined"));
    EXPECT_THAT(bugs_, IsEmpty());
}

TEST_F(TaskGroupTest, FurtherWaitsOfACancelledTaskEndIt) {
    group_.spawn(wait_twice(story_));
    loop_.settle();
    group_.cancel();
    loop_.spawn(join_group(group_, story_));
    loop_.run();
    EXPECT_THAT(story_, ElementsAre("first wait cancelled", "joined"));
    EXPECT_THAT(bugs_, IsEmpty()) << "cancellation is no bug";
}

TEST_F(TaskGroupTest, ATaskSpawnedAfterCancelIsCancelledAtItsFirstWait) {
    group_.cancel();
    group_.spawn(wait_for_ever(story_));
    loop_.spawn(join_group(group_, story_));
    loop_.run();
    EXPECT_THAT(story_, ElementsAre("wait cancelled", "joined"));
}

TEST_F(TaskGroupTest, ATaskThatEndsAtOnceAfterCancelLeavesNothingBehind) {
    group_.cancel();
    group_.spawn(take_turns(0, story_));
    loop_.spawn(join_group(group_, story_));
    loop_.run();
    EXPECT_THAT(story_, ElementsAre("worked", "joined"));
}

TEST_F(TaskGroupTest, ReportsAnExceptionAndGoesOn) {
    group_.spawn(throw_bug());
    group_.spawn(take_turns(5, story_));
    loop_.spawn(join_group(group_, story_));
    loop_.run();
    EXPECT_THAT(bugs_, ElementsAre("a bug"));
    EXPECT_THAT(story_, ElementsAre("worked", "joined"));
}

awaitable<void> throw_system_error(std::error_code code) {
    co_await asio::post(asio::use_awaitable);
    throw std::system_error(code);
}

TEST_F(TaskGroupTest, ReportsSystemErrorsButNotCancellation) {
    group_.spawn(throw_system_error(asio::error::operation_aborted));
    group_.spawn(throw_system_error(asio::error::connection_reset));
    loop_.spawn(join_group(group_, story_));
    loop_.run();
    ASSERT_EQ(bugs_.size(), 1u);
    EXPECT_THAT(bugs_[0], testing::HasSubstr("reset"));
}

awaitable<void> cancel_own_group(TaskGroup& group, std::vector<std::string>& story) {
    co_await asio::post(asio::use_awaitable);
    group.cancel();
    story.emplace_back("cancelled the group");
}

TEST_F(TaskGroupTest, ATaskMayCancelItsOwnGroup) {
    group_.spawn(wait_for_ever(story_));
    group_.spawn(cancel_own_group(group_, story_));
    loop_.spawn(join_group(group_, story_));
    loop_.run();
    EXPECT_THAT(story_, ElementsAre("cancelled the group", "wait cancelled", "joined"));
}

TEST(TaskGroupDeathTest, GoingWithARunningTaskEndsTheProgram) {
    EXPECT_DEATH(
        {
            asio::io_context context;
            std::vector<std::string> story;
            {
                TaskGroup group(context.get_executor(), [](const std::exception&) {});
                group.spawn(wait_for_ever(story));
                context.poll();
            }
        },
        "");
}

TEST_F(TaskGroupTest, UnownedWorkRuns) {
    spawn_unowned(loop_.executor(), take_turns(2, story_));
    EXPECT_TRUE(loop_.run_until([this] { return !story_.empty(); }));
}

}  // namespace
}  // namespace tunnel::net
