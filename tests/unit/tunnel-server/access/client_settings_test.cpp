#include "tunnel-server/access/client_settings.hpp"

#include <gmock/gmock.h>

namespace tunnel::server {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

ClientSettings with(const std::vector<SettingText>& changes) {
    ClientSettings settings;
    const auto ok = change_settings(settings, changes);
    EXPECT_TRUE(ok) << ok.error().message;
    return settings;
}

std::string refusal(const std::vector<SettingText>& changes) {
    auto settings = with({{"max_mappings", {"5"}}});
    const auto before = settings;
    const auto ok = change_settings(settings, changes);
    EXPECT_EQ(settings, before);
    EXPECT_FALSE(ok);
    return ok ? "" : ok.error().message;
}

const std::vector<SettingText> everything{
    {"ports", {"2222", "6000-6010"}}, {"names", {"web", "game-*"}},
    {"kinds", {"tcp", "udp"}},        {"groups", {"site", "web-*"}},
    {"max_mappings", {"5"}},          {"monthly_traffic", {"500GB"}},
    {"disabled", {"true"}},           {"allow", {"10.0.0.0/8", "list:office"}},
    {"deny", {"10.1.0.0/16"}},        {"max_visitors", {"100"}},
    {"visitors_per_second", {"50"}},  {"visitors_per_second_per_address", {"5"}},
    {"bandwidth_in", {"20Mbit"}},     {"bandwidth_out", {"100Mbit"}},
    {"bandwidth_burst", {"1MiB"}}};

TEST(ClientSettings, OfANewClientAllowEverything) {
    const ClientSettings settings;
    EXPECT_THAT(given_settings(settings), IsEmpty());
    EXPECT_TRUE(settings.allows_port(80));
    EXPECT_TRUE(settings.allows_name("web"));
    EXPECT_TRUE(settings.allows_kind("udp"));
    EXPECT_FALSE(settings.shares_group("site"));
    EXPECT_EQ(settings_summary(settings), "");
}

TEST(ClientSettings, EveryOneReadsWhatItPrints) {
    EXPECT_EQ(everything.size(), client_setting_table().size());
    const auto settings = with(everything);
    EXPECT_EQ(given_settings(settings), everything);
    EXPECT_EQ(settings.monthly_traffic, 500'000'000'000U);
    EXPECT_EQ(settings.visitors.bandwidth_out, 12'500'000U);
    EXPECT_EQ(settings_summary(with({{"max_mappings", {"5"}}, {"kinds", {"tcp", "udp"}}})),
              "kinds=tcp,udp max_mappings=5");
}

TEST(ClientSettings, AChangeReplacesWhatItNamesAndNothingElse) {
    auto settings = with(everything);
    ASSERT_TRUE(
        change_settings(settings, {{"ports", {"80"}}, {"max_visitors", {}}, {"disabled", {"false"}}}));
    EXPECT_THAT(settings.ports, ElementsAre(PortRange{80, 80}));
    EXPECT_EQ(settings.visitors.max_visitors, 0U);
    EXPECT_FALSE(settings.disabled);
    EXPECT_EQ(settings.max_mappings, 5U);
    EXPECT_EQ(settings.visitors.per_second, 50U);
}

TEST(ClientSettings, ABadChangeChangesNothingAndSaysWhichItIs) {
    EXPECT_THAT(refusal({{"max_mappings", {"7"}}, {"bandwidth_in", {"fast"}}}),
                HasSubstr("bandwidth_in: \"fast\" is not a speed"));
    EXPECT_THAT(refusal({{"speed", {"1"}}}), HasSubstr("speed: this tunnel-server knows no such setting"));
    EXPECT_THAT(refusal({{"max_mappings", {"1", "2"}}}), HasSubstr("max_mappings: was given 2 values"));
    EXPECT_THAT(refusal({{"kinds", {"http"}}}), HasSubstr("tcp, udp or unix"));
    EXPECT_THAT(refusal({{"names", {"*web"}}}), HasSubstr("game-*"));
    EXPECT_THAT(refusal({{"groups", {"a b"}}}), HasSubstr("groups: \"a b\" is not a name of groups"));
    EXPECT_THAT(refusal({{"ports", {"0"}}}), HasSubstr("ports: "));
    EXPECT_THAT(refusal({{"disabled", {"yes"}}}), HasSubstr("neither true nor false"));
}

TEST(ClientSettings, PortsNamesKindsAndGroupsFence) {
    const auto settings = with(everything);
    EXPECT_TRUE(settings.allows_port(6010));
    EXPECT_FALSE(settings.allows_port(6011));
    EXPECT_TRUE(settings.allows_name("web"));
    EXPECT_FALSE(settings.allows_name("web2"));
    EXPECT_TRUE(settings.allows_name("game-7"));
    EXPECT_TRUE(settings.allows_kind("udp"));
    EXPECT_FALSE(settings.allows_kind("unix"));
    EXPECT_TRUE(settings.shares_group("site"));
    EXPECT_TRUE(settings.shares_group("web-7"));
    EXPECT_FALSE(settings.shares_group("web"));
    EXPECT_TRUE(with({{"names", {"*"}}}).allows_name("anything"));
}

}  // namespace
}  // namespace tunnel::server
