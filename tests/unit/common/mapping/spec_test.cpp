#include "common/mapping/spec.hpp"

#include <gmock/gmock.h>

#include "common/mapping/option_table.hpp"

namespace tunnel {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using wire::OptionText;

MappingOptions mapping_of(std::initializer_list<std::pair<const char*, const char*>> given) {
    OptionReader reader;
    reader.options().name = "web";
    for (const auto& [name, value] : given) {
        const auto taken = reader.take(*find_mapping_option(name), value);
        EXPECT_TRUE(taken) << taken.error().message;
    }
    return reader.options();
}

TEST(Spec, WhatTheFirstReleaseKnowsStandsInFields) {
    const auto spec = to_spec(mapping_of({{"tcp", "2222"}, {"to", "127.0.0.1:22"}, {"encrypt", "false"}}));
    EXPECT_EQ(spec, (wire::MappingSpec{"web", 2222, "127.0.0.1:22", false, 0}));
}

TEST(Spec, AllElseIsAnOptionByItsName) {
    const auto spec = to_spec(mapping_of({{"tcp", "6000-6001"}, {"to", "6000-6001"}, {"lifetime", "1h"}}));
    EXPECT_EQ(spec.service, "127.0.0.1:6000-6001");
    EXPECT_THAT(spec.options, ElementsAre(OptionText{"tcp", "6000-6001"}, OptionText{"lifetime", "1h"}));
    EXPECT_THAT(to_spec(mapping_of({{"udp", "0"}, {"to", "53"}})).options,
                ElementsAre(OptionText{"udp", "0"}));
}

TEST(Spec, SurvivesTheWay) {
    for (const auto& mapping :
         {mapping_of({{"to", "22"}}), mapping_of({{"tcp", "192.0.2.1:0"}, {"to", "22"}}),
          mapping_of({{"udp", "[::]:53-54"},
                      {"to", "nas.lan:53-54"},
                      {"flow_timeout", "2m"},
                      {"transport", "stream"}}),
          mapping_of({{"tcp", "0"}, {"to", "22"}, {"idle_timeout", "2m"}}),
          mapping_of({{"unix", "/run/web.sock"},
                      {"to", "unix:/run/x"},
                      {"keepalive", "0"},
                      {"encrypt", "false"}})}) {
        const auto bytes = wire::encode(to_spec(mapping));
        const auto spec = wire::decode_mapping_spec(bytes);
        ASSERT_TRUE(spec);
        const auto back = from_spec(*spec);
        ASSERT_TRUE(back) << back.error().message;
        EXPECT_EQ(*back, mapping);
    }
}

TEST(Spec, AnOptionThatThisReleaseDoesNotKnowIsRefusedByName) {
    auto spec = to_spec(mapping_of({{"to", "22"}}));
    spec.options.push_back({"tea_time", "5pm"});
    const auto options = from_spec(spec);
    ASSERT_FALSE(options);
    EXPECT_EQ(options.error().code, Errc::version);
    EXPECT_THAT(options.error().message,
                HasSubstr("the option tea_time of the mapping \"web\" is unknown here"));
}

TEST(Spec, WhatBreaksARuleIsRefused) {
    auto spec = to_spec(mapping_of({{"to", "22"}}));
    spec.options = {{"lifetime", "soon"}};
    EXPECT_THAT(from_spec(spec).error().message, HasSubstr("lifetime: \"soon\" is not a duration"));
    spec.options = {{"tcp", "1-2"}};
    EXPECT_THAT(from_spec(spec).error().message, HasSubstr("has 2 public ports and 1 of the service"));
    spec.options = {{"tcp", "1"}, {"udp", "1"}};
    EXPECT_THAT(from_spec(spec).error().message, HasSubstr("one public endpoint"));
    spec.options.clear();
    spec.service = "nonsense";
    EXPECT_EQ(from_spec(spec).error().code, Errc::invalid);
}

TEST(Spec, IsHeldBackFromAServerThatDoesNotKnowItsOptions) {
    const auto plain = to_spec(mapping_of({{"tcp", "2222"}, {"to", "22"}, {"encrypt", "false"}}));
    EXPECT_TRUE(check_known(plain, {})) << "the first release knows all of it";
    const auto timed = to_spec(mapping_of({{"to", "22"}, {"lifetime", "1h"}}));
    EXPECT_TRUE(check_known(timed, known_option_names()));
    const auto held = check_known(timed, {"tcp", "to"});
    ASSERT_FALSE(held);
    EXPECT_EQ(held.error().code, Errc::version);
    EXPECT_THAT(held.error().message, HasSubstr("the server does not know the option lifetime"));
}

TEST(Spec, NoBytesBecomeMoreThanIsAllowed) {
    wire::MappingSpec spec = to_spec(mapping_of({{"to", "22"}}));
    spec.options.assign(wire::max_options, {"lifetime", "1h"});
    EXPECT_TRUE(wire::decode_mapping_spec(wire::encode(spec)));
    spec.options.push_back({"lifetime", "1h"});
    EXPECT_FALSE(wire::decode_mapping_spec(wire::encode(spec)));
    spec.options = {{"lifetime", std::string(wire::max_option_value + 1, 'x')}};
    EXPECT_FALSE(wire::decode_mapping_spec(wire::encode(spec)));
    EXPECT_FALSE(wire::decode_mapping_spec(Bytes{0xff, 0xff}));
}

}  // namespace
}  // namespace tunnel
