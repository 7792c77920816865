#include "common/wire/text.hpp"

#include <gtest/gtest.h>

namespace tunnel::wire {
namespace {

TEST(CutText, ShortTextStaysWhole) {
    EXPECT_EQ(cut_text("", 0), "");
    EXPECT_EQ(cut_text("abc", 3), "abc");
    EXPECT_EQ(cut_text("abc", 100), "abc");
    EXPECT_EQ(cut_text("\xc3\xa4", 2), "\xc3\xa4");
}

TEST(CutText, PlainTextIsCutAtTheLimit) {
    EXPECT_EQ(cut_text("abcd", 3), "abc");
    EXPECT_EQ(cut_text("abcd", 0), "");
}

TEST(CutText, NoCharacterIsSplit) {
    const std::string two =
        "a\xc3\xa4"
        "b";
    EXPECT_EQ(cut_text(two, 1), "a");
    EXPECT_EQ(cut_text(two, 2), "a");
    EXPECT_EQ(cut_text(two, 3), "a\xc3\xa4");
    const std::string four = "\xf0\x9f\x9a\x87\xf0\x9f\x9a\x87";
    for (std::size_t size = 0; size < 4; ++size) EXPECT_EQ(cut_text(four, size), "");
    for (std::size_t size = 4; size < 8; ++size) EXPECT_EQ(cut_text(four, size), four.substr(0, 4));
}

}  // namespace
}  // namespace tunnel::wire
