#include "common/net/relay/pipe_pool.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <array>

#include "tests/unit/common/net/test_sockets.hpp"

namespace tunnel::net {
namespace {

using test::open_descriptors;

std::size_t write_some(Pipe& pipe) {
    const std::array<char, 3> bytes{'a', 'b', 'c'};
    const auto n = ::write(pipe.write.get(), bytes.data(), bytes.size());
    return n > 0 ? static_cast<std::size_t>(n) : 0;
}

TEST(PipePool, LeasesPipesThatNeverBlock) {
    PipePool pool;
    auto pipe = pool.lease();
    ASSERT_TRUE(pipe);
    EXPECT_EQ(pool.leased(), 1u);
    for (const int fd : {pipe->read.get(), pipe->write.get()}) {
        EXPECT_TRUE(::fcntl(fd, F_GETFL) & O_NONBLOCK);
        EXPECT_TRUE(::fcntl(fd, F_GETFD) & FD_CLOEXEC);
    }
    EXPECT_EQ(pipe->bytes_inside, 0u);
    EXPECT_EQ(pipe->capacity, static_cast<std::size_t>(::fcntl(pipe->write.get(), F_GETPIPE_SZ)));
    pool.give_back(std::move(*pipe));
    EXPECT_EQ(pool.leased(), 0u);
    EXPECT_EQ(pool.idle(), 1u);
}

TEST(PipePool, HandsOutAReturnedPipeAgain) {
    PipePool pool;
    auto first = pool.lease();
    const int fd = first->read.get();
    pool.give_back(std::move(*first));
    const auto again = pool.lease();
    EXPECT_EQ(again->read.get(), fd);
    EXPECT_EQ(pool.idle(), 0u);
}

TEST(PipePool, DestroysAPipeThatStillHoldsBytes) {
    const auto before = open_descriptors();
    PipePool pool;
    auto dirty = pool.lease();
    dirty->bytes_inside = write_some(*dirty);
    pool.give_back(std::move(*dirty));
    EXPECT_EQ(pool.leased(), 0u);
    EXPECT_EQ(pool.idle(), 0u);
    EXPECT_EQ(open_descriptors(), before);
    auto next = pool.lease();
    std::array<char, 8> bytes{};
    EXPECT_EQ(::read(next->read.get(), bytes.data(), bytes.size()), -1) << "bytes of another connection";
    pool.give_back(std::move(*next));
}

TEST(PipePool, SaysNoBeyondItsLimitAndYesAfterAReturn) {
    PipePool::Limits limits;
    limits.leased = 2;
    PipePool pool(limits);
    auto a = pool.lease();
    auto b = pool.lease();
    ASSERT_TRUE(a && b);
    EXPECT_FALSE(pool.lease());
    EXPECT_EQ(pool.leased(), 2u);
    pool.give_back(std::move(*a));
    auto c = pool.lease();
    EXPECT_TRUE(c);
    EXPECT_FALSE(pool.lease());
}

TEST(PipePool, LimitCountsPipesTakenFromTheIdleOnes) {
    PipePool::Limits limits;
    limits.leased = 1;
    PipePool pool(limits);
    auto pipe = pool.lease();
    pool.give_back(std::move(*pipe));
    const auto again = pool.lease();
    EXPECT_TRUE(again);
    EXPECT_FALSE(pool.lease());
}

TEST(PipePool, KeepsNoMoreIdlePipesThanItMay) {
    const auto before = open_descriptors();
    PipePool::Limits limits;
    limits.kept = 1;
    PipePool pool(limits);
    auto a = pool.lease();
    auto b = pool.lease();
    pool.give_back(std::move(*a));
    pool.give_back(std::move(*b));
    EXPECT_EQ(pool.idle(), 1u);
    EXPECT_EQ(open_descriptors(), before + 2);
}

TEST(PipePool, RefusesAPipeTooSmallToBeWorthIt) {
    const auto before = open_descriptors();
    PipePool::Limits limits;
    limits.wanted_size = 4096;
    limits.useful_size = 8192;
    PipePool pool(limits);
    EXPECT_FALSE(pool.lease());
    EXPECT_EQ(pool.leased(), 0u);
    EXPECT_EQ(open_descriptors(), before);
}

TEST(PipePool, ReadsBackTheSizeItGotInsteadOfTheOneItWanted) {
    PipePool::Limits limits;
    limits.wanted_size = 5000;  // the kernel rounds up to whole pages
    limits.useful_size = 4096;
    PipePool pool(limits);
    const auto pipe = pool.lease();
    ASSERT_TRUE(pipe);
    EXPECT_EQ(pipe->capacity, 8192u);
}

TEST(PipePool, ClosesItsPipesWhenItGoes) {
    const auto before = open_descriptors();
    {
        PipePool pool;
        auto pipe = pool.lease();
        pool.give_back(std::move(*pipe));
        EXPECT_EQ(open_descriptors(), before + 2);
    }
    EXPECT_EQ(open_descriptors(), before);
}

}  // namespace
}  // namespace tunnel::net
