#include "common/core/names.hpp"

#include <gmock/gmock.h>

#include <string>

namespace tunnel {
namespace {

TEST(Names, TakesLettersDigitsAndThreeMarks) {
    for (const auto& good : {std::string("a"), std::string("home"), std::string("Home-1_b.c"),
                             std::string("9"), std::string(63, 'x')})
        EXPECT_TRUE(check_name("client", good)) << good;
}

TEST(Names, RefusesOthers) {
    for (const auto& bad :
         {std::string(), std::string(64, 'x'), std::string("-a"), std::string(".a"), std::string("_a"),
          std::string("a b"), std::string("a/b"), std::string("a:b"), std::string("a@b"),
          std::string("caf\xc3\xa9"), std::string("a\n"), std::string("a\0b", 3)}) {
        const auto checked = check_name("client", bad);
        ASSERT_FALSE(checked) << bad;
        EXPECT_EQ(checked.error().code, Errc::invalid);
    }
}

TEST(Names, MessageNamesTheKindAndCutsLongNames) {
    const auto checked = check_name("mapping", std::string(5000, 'x'));
    ASSERT_FALSE(checked);
    EXPECT_THAT(checked.error().message, testing::HasSubstr("is not a mapping name"));
    EXPECT_LT(checked.error().message.size(), 300U);
}

}  // namespace
}  // namespace tunnel
