#include "common/core/visitor_limits.hpp"

#include <gmock/gmock.h>

#include <map>

namespace tunnel {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const LimitWord& word(std::string_view name) {
    for (const auto& one : limit_words()) {
        if (one.name == name) return one;
    }
    ADD_FAILURE() << "no word " << name;
    return limit_words()[0];
}

std::string refusal(std::string_view name, std::string_view text) {
    VisitorLimits limits;
    const auto ok = word(name).parse(text, limits);
    EXPECT_FALSE(ok) << text;
    EXPECT_EQ(limits, VisitorLimits{});
    return ok ? "" : ok.error().message;
}

TEST(AccessEntry, IsANetworkOrTheNameOfAList) {
    EXPECT_EQ(parse_access_entry("10.0.0.0/8")->network, *parse_network("10.0.0.0/8"));
    EXPECT_EQ(parse_access_entry("list:office")->list, "office");
    for (const auto* text : {"10.0.0.0/8", "2001:db8::1", "list:office"})
        EXPECT_EQ(to_string(*parse_access_entry(text)), text);
    for (const auto* bad : {"", "office", "10.0.0.0/33", "list:", "list:a b", "/etc/passwd"})
        EXPECT_FALSE(parse_access_entry(bad)) << bad;
    EXPECT_THAT(parse_access_entry("office").error().message, HasSubstr("list:NAME"));
}

TEST(LimitWords, EveryOneReadsWhatItPrints) {
    const std::map<std::string_view, std::vector<std::string>> values{
        {"allow", {"10.0.0.0/8", "list:office"}},
        {"deny", {"2001:db8::/32"}},
        {"max_visitors", {"5"}},
        {"visitors_per_second", {"100"}},
        {"visitors_per_second_per_address", {"3"}},
        {"bandwidth_in", {"20Mbit"}},
        {"bandwidth_out", {"5MiB"}},
        {"bandwidth_burst", {"1MiB"}}};
    ASSERT_EQ(values.size(), limit_word_count);
    VisitorLimits limits;
    for (const auto& one : limit_words()) {
        EXPECT_THAT(one.print(limits), IsEmpty()) << one.name;
        EXPECT_FALSE(one.help.empty());
        for (const auto& value : values.at(one.name)) EXPECT_TRUE(one.parse(value, limits)) << one.name;
    }
    for (const auto& one : limit_words()) EXPECT_EQ(one.print(limits), values.at(one.name)) << one.name;
    EXPECT_EQ(limits.bandwidth_in, 2'500'000U);
    EXPECT_EQ(limits.per_second_per_address, 3U);
}

TEST(LimitWords, RefuseOthers) {
    EXPECT_THAT(refusal("max_visitors", "-1"), HasSubstr("\"-1\" is not a limit"));
    EXPECT_THAT(refusal("visitors_per_second", "1000001"), HasSubstr("1000000"));
    EXPECT_THAT(refusal("bandwidth_in", "20"), HasSubstr("100Mbit"));
    EXPECT_THAT(refusal("bandwidth_burst", "100B"), HasSubstr("2KiB"));
    EXPECT_THAT(refusal("deny", "everybody"), HasSubstr("list:NAME"));
}

TEST(Burst, IsATwentiethOfASecondUnlessChosen) {
    EXPECT_EQ(burst_for(2'000'000, 0), 100'000U);
    EXPECT_EQ(burst_for(1'000, 0), 2048U);
    EXPECT_EQ(burst_for(2'000'000, 5'000), 5'000U);
}

}  // namespace
}  // namespace tunnel
