#include "common/core/utf8.hpp"

#include <gtest/gtest.h>

namespace tunnel {
namespace {

TEST(Utf8, TakesWhatRfc3629DoesAndNothingElse) {
    for (const auto* good :
         {"", "plain", "\xc3\xbc", "\xe2\x82\xac", "\xf0\x9f\x8e\xae", "\xed\x9f\xbf", "\xf4\x8f\xbf\xbf"})
        EXPECT_TRUE(is_utf8(good)) << good;
    for (const auto* bad : {"\xff", "\x80", "a\xc3", "\xc0\xaf", "\xe0\x80\x80", "\xed\xa0\x80",
                            "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80"})
        EXPECT_FALSE(is_utf8(bad));
}

}  // namespace
}  // namespace tunnel
