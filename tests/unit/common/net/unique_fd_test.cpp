#include "common/net/unique_fd.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>

namespace tunnel::net {
namespace {

int open_null() {
    return ::open("/dev/null", O_RDONLY | O_CLOEXEC);
}
bool is_open(int fd) {
    return ::fcntl(fd, F_GETFD) >= 0;
}

TEST(UniqueFd, ClosesWhatItOwns) {
    const int raw = open_null();
    {
        const UniqueFd fd(raw);
        EXPECT_TRUE(fd);
        EXPECT_EQ(fd.get(), raw);
    }
    EXPECT_FALSE(is_open(raw));
}

TEST(UniqueFd, EmptyOwnsNothing) {
    const UniqueFd fd;
    EXPECT_FALSE(fd);
    EXPECT_EQ(fd.get(), -1);
}

TEST(UniqueFd, MovesItsDescriptor) {
    UniqueFd from(open_null());
    const int raw = from.get();
    UniqueFd to(std::move(from));
    EXPECT_EQ(to.get(), raw);
    EXPECT_FALSE(from);  // NOLINT(bugprone-use-after-move)
    EXPECT_TRUE(is_open(raw));
}

TEST(UniqueFd, AssignmentClosesTheOldOne) {
    UniqueFd to(open_null());
    const int old = to.get();
    UniqueFd from(open_null());
    const int fresh = from.get();
    to = std::move(from);
    EXPECT_FALSE(is_open(old));
    EXPECT_EQ(to.get(), fresh);
}

TEST(UniqueFd, AssignmentToItselfKeepsIt) {
    UniqueFd fd(open_null());
    const int raw = fd.get();
    auto& same = fd;
    fd = std::move(same);
    EXPECT_EQ(fd.get(), raw);
    EXPECT_TRUE(is_open(raw));
}

TEST(UniqueFd, ReleaseGivesItUpUnclosed) {
    UniqueFd fd(open_null());
    const UniqueFd taken(fd.release());
    EXPECT_FALSE(fd);
    EXPECT_TRUE(is_open(taken.get()));
}

TEST(UniqueFd, ResetReplacesAndCloses) {
    UniqueFd fd(open_null());
    const int first = fd.get();
    const int second = open_null();
    fd.reset(second);
    EXPECT_FALSE(is_open(first));
    EXPECT_EQ(fd.get(), second);
    fd.reset();
    EXPECT_FALSE(is_open(second));
    EXPECT_FALSE(fd);
}

}  // namespace
}  // namespace tunnel::net
