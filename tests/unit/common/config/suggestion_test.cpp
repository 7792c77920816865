#include "common/config/suggestion.hpp"

#include <gmock/gmock.h>

namespace tunnel::config {
namespace {

TEST(EditDistance, CountsTypingErrors) {
    EXPECT_EQ(edit_distance("", ""), 0U);
    EXPECT_EQ(edit_distance("", "abc"), 3U);
    EXPECT_EQ(edit_distance("abc", ""), 3U);
    EXPECT_EQ(edit_distance("kitten", "sitting"), 3U);
    EXPECT_EQ(edit_distance("interval", "intervall"), 1U);
    EXPECT_EQ(edit_distance("level", "levle"), 1U) << "neighbours that changed places";
    EXPECT_EQ(edit_distance("abcdef", "badcfe"), 3U);
    EXPECT_EQ(edit_distance("ab", "ba"), 1U);
}

TEST(Suggestion, StaysSilentWhereNothingIsNear) {
    const auto message = unknown_key_message("", "a", {"tcp", "to"}, {"tcp", "to"});
    EXPECT_THAT(message, testing::Not(testing::HasSubstr("did you mean")));
}

TEST(Suggestion, CutsAnEndlessKey) {
    EXPECT_LT(unknown_key_message("", std::string(100'000, 'k'), {"tcp"}, {"tcp"}).size(), 200U);
}

}  // namespace
}  // namespace tunnel::config
