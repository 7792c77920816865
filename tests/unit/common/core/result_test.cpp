#include "common/core/result.hpp"

#include <gmock/gmock.h>

#include <cerrno>
#include <set>

#include "common/core/ids.hpp"

namespace tunnel {
namespace {

TEST(Result, FailFormatsItsMessage) {
    const Result<int> result = fail(Errc::limit, "{} of {}", 3, "four");
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Errc::limit);
    EXPECT_EQ(result.error().message, "3 of four");
    EXPECT_EQ(result.error().sys_errno, 0);
}

TEST(Result, ErrnoBecomesASentenceAndIsKept) {
    const Status status = fail_errno(EACCES, "cannot open /x");
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code, Errc::io);
    EXPECT_EQ(status.error().message, "cannot open /x: Permission denied");
    EXPECT_EQ(status.error().sys_errno, EACCES);
}

TEST(Result, PassKeepsTheWholeError) {
    const Status first = fail_errno(ENOSPC, "cannot write");
    const Result<std::string> second = pass(first.error());
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().message, first.error().message);
    EXPECT_EQ(second.error().sys_errno, ENOSPC);
}

TEST(Errc, EveryCodeHasItsOwnName) {
    std::set<std::string_view> names;
    for (int code = 0; code <= static_cast<int>(Errc::internal); ++code)
        names.insert(to_string(static_cast<Errc>(code)));
    EXPECT_EQ(names.size(), static_cast<std::size_t>(Errc::internal) + 1);
}

TEST(Id, ZeroMeansNone) {
    EXPECT_FALSE(SessionId{});
    EXPECT_TRUE(SessionId{1});
    EXPECT_LT(SessionId{1}, SessionId{2});
    EXPECT_EQ(std::hash<SessionId>()(SessionId{7}), std::hash<SessionId>()(SessionId{7}));
}

}  // namespace
}  // namespace tunnel
