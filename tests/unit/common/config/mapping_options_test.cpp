#include "common/config/mapping_options.hpp"

#include <gmock/gmock.h>

namespace tunnel::config {
namespace {

using ::testing::HasSubstr;

TEST(Service, ABarePortIsOnThisHost) {
    EXPECT_EQ(parse_service("22"), (HostPort{"127.0.0.1", 22}));
    EXPECT_EQ(parse_service("65535"), (HostPort{"127.0.0.1", 65535}));
}

TEST(Service, IsHostAndPortOtherwise) {
    EXPECT_EQ(parse_service("nas.lan:80"), (HostPort{"nas.lan", 80}));
    EXPECT_EQ(parse_service("[::1]:22"), (HostPort{"::1", 22}));
}

TEST(Service, RefusesOthersAndShowsTheForms) {
    EXPECT_THAT(parse_service("").error().message, HasSubstr("write PORT or HOST:PORT"));
    EXPECT_THAT(parse_service("ssh").error().message, HasSubstr("write PORT or HOST:PORT"));
    EXPECT_THAT(parse_service("0").error().message, HasSubstr("is not a port"));
    EXPECT_THAT(parse_service("70000").error().message, HasSubstr("is not a port"));
    EXPECT_THAT(parse_service("nas.lan:0").error().message, HasSubstr("is not a port"));
    EXPECT_THAT(parse_service(":22").error().message, HasSubstr("is not an address"));
}

TEST(Mapping, NeedsANameAndAService) {
    MappingOptions mapping{"ssh", 0, {"127.0.0.1", 22}, true};
    EXPECT_TRUE(check_mapping(mapping));
    mapping.name = "s s";
    EXPECT_THAT(check_mapping(mapping).error().message, HasSubstr("is not a mapping name"));
    mapping = {"ssh", 2222, {}, true};
    EXPECT_THAT(check_mapping(mapping).error().message, HasSubstr("\"ssh\" has no service"));
    mapping = {"ssh", 2222, {"nas.lan", 0}, true};
    EXPECT_FALSE(check_mapping(mapping));
}

TEST(Mapping, EncryptsUnlessToldOtherwise) {
    EXPECT_TRUE(MappingOptions{}.encrypt);
    EXPECT_EQ(MappingOptions{}.tcp, 0);
}

TEST(Mapping, DefaultNameIsAGoodName) {
    const HostPort service{"127.0.0.1", 22};
    EXPECT_EQ(default_mapping_name(service), "tcp-22");
    EXPECT_TRUE(check_mapping({default_mapping_name(service), 0, service, true}));
}

}  // namespace
}  // namespace tunnel::config
