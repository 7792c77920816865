#include "tunnel-client/services/service_rules.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tunnel::client {
namespace {

using testing::HasSubstr;

ClientConfig config_of(const std::string& allow, const std::string& mappings = {}) {
    auto config = parse_client_config("allow = " + allow + "\n" + mappings, "client.toml", Link::optional);
    if (!config) throw std::runtime_error(config::to_error(config.error()).message);
    return std::move(*config);
}

std::string mapping(const std::string& name, const std::string& to) {
    return "[[mapping]]\nname = \"" + name + "\"\ntcp = 0\nto = \"" + to + "\"\n";
}

// Whether a stream for this mapping and service may be dialled when its host resolves to `resolved`.
bool may_dial(const ServiceRules& rules, const std::string& mapping_name, const std::string& service,
              std::string_view resolved) {
    const auto found = rules.service_for(mapping_name, service);
    return found && rules.allows(*found, *parse_ip(resolved));
}

TEST(ServiceRules, TheOwnMappingBeatsWhatTheServerSays) {
    const ServiceRules rules(config_of("[]", mapping("ssh", "127.0.0.1:22")));
    const auto service = rules.service_for("ssh", "10.9.9.9:6379");
    ASSERT_TRUE(service);
    EXPECT_EQ(service->address, (HostPort{"127.0.0.1", 22}));
    EXPECT_TRUE(service->own);
    EXPECT_TRUE(rules.service_for("ssh", "no address at all"));
}

TEST(ServiceRules, TheServerNamesOneOfTheOwnMappingsServices) {
    const ServiceRules rules(config_of(
        "[]", mapping("web", "127.0.0.1:81") + "member = [\"127.0.0.1:82,backup\", \"unix:/run/a\"]\n"));
    EXPECT_EQ(rules.service_for("web", "127.0.0.1:82")->address.port, 82);
    EXPECT_EQ(rules.service_for("web", "127.0.0.1:81")->address.port, 81);
    EXPECT_EQ(rules.service_for("web", "unix:/run/a")->path, "/run/a");
    EXPECT_EQ(rules.service_for("web", "127.0.0.1:83")->address.port, 81) << "not one of its own";
    // What the owner exposes anyway, the admin may name as well.
    EXPECT_TRUE(may_dial(rules, "admins", "127.0.0.1:82", "127.0.0.1"));
    EXPECT_FALSE(may_dial(rules, "admins", "127.0.0.1:83", "127.0.0.1"));
}

TEST(ServiceRules, TheOwnMappingIsAllowedWhateverItsNameResolvesTo) {
    const ServiceRules rules(config_of("[]", mapping("nas", "nas.lan:445")));
    EXPECT_TRUE(may_dial(rules, "nas", "", "192.168.1.10"));
    EXPECT_TRUE(may_dial(rules, "nas", "", "fd00::10"));
}

TEST(ServiceRules, TheServerCannotPointBeyondAllow) {
    const ServiceRules rules(config_of(R"(["127.0.0.0/8", "192.168.1.10:80"])"));
    EXPECT_TRUE(may_dial(rules, "web", "127.0.0.1:8080", "127.0.0.1"));
    EXPECT_TRUE(may_dial(rules, "web", "192.168.1.10:80", "192.168.1.10"));
    EXPECT_FALSE(may_dial(rules, "web", "192.168.1.10:81", "192.168.1.10"));
    EXPECT_FALSE(may_dial(rules, "web", "192.168.1.11:80", "192.168.1.11"));
    EXPECT_FALSE(may_dial(rules, "web", "[::1]:80", "::1"));
}

TEST(ServiceRules, ANameIsJudgedByWhatItResolvesTo) {
    const ServiceRules rules(config_of(R"(["127.0.0.0/8"])"));
    EXPECT_TRUE(may_dial(rules, "web", "localhost:80", "127.0.0.1"));
    EXPECT_FALSE(may_dial(rules, "web", "localhost:80", "192.168.1.1"));
    EXPECT_FALSE(may_dial(rules, "web", "127.0.0.1.evil.example:80", "203.0.113.1"));
}

TEST(ServiceRules, ANameInAllowMatchesWhatIsWritten) {
    const ServiceRules rules(config_of(R"(["nas.lan:80-90"])"));
    EXPECT_TRUE(may_dial(rules, "web", "NAS.lan:85", "192.168.1.10"));
    EXPECT_FALSE(may_dial(rules, "web", "nas.lan:91", "192.168.1.10"));
    EXPECT_FALSE(may_dial(rules, "web", "192.168.1.10:85", "192.168.1.10"));
}

TEST(ServiceRules, AnAddressThatAnOwnMappingNamesIsExposedAnyway) {
    const ServiceRules rules(config_of("[]", mapping("db", "10.0.0.5:5432")));
    EXPECT_TRUE(may_dial(rules, "other-name", "10.0.0.5:5432", "10.0.0.5"));
    EXPECT_FALSE(may_dial(rules, "other-name", "10.0.0.5:5433", "10.0.0.5"));
}

TEST(ServiceRules, AnEmptyAllowLeavesTheServerNothing) {
    const ServiceRules rules(config_of("[]"));
    EXPECT_FALSE(may_dial(rules, "web", "127.0.0.1:80", "127.0.0.1"));
}

TEST(ServiceRules, WhatIsNoAddressIsRefused) {
    const ServiceRules rules(config_of(R"(["127.0.0.0/8"])"));
    for (const auto* text : {"", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:99999", "a b:80", "unix:run/x"}) {
        const auto service = rules.service_for("web", text);
        ASSERT_FALSE(service) << text;
        EXPECT_EQ(service.error().code, Errc::invalid) << text;
    }
}

TEST(ServiceRules, AVisitorsPlaceInARangeIsItsPlaceInTheServices) {
    const ServiceRules rules(config_of("[]",
                                       "[[mapping]]\nname = \"games\"\ntcp = \"6000-6010\"\n"
                                       "to = \"10.0.0.5:7000-7010\"\n"));
    EXPECT_EQ(rules.service_for("games", "", 0)->address, (HostPort{"10.0.0.5", 7000}));
    EXPECT_EQ(rules.service_for("games", "", 10)->address, (HostPort{"10.0.0.5", 7010}));
    EXPECT_THAT(rules.service_for("games", "", 11).error().message, HasSubstr("has no port for visitors"));
    EXPECT_TRUE(may_dial(rules, "other", "10.0.0.5:7003", "10.0.0.5")) << "its owner exposes it anyway";
    EXPECT_FALSE(may_dial(rules, "other", "10.0.0.5:7011", "10.0.0.5"));
}

TEST(ServiceRules, AnAdminsRangeIsJudgedPortByPort) {
    const ServiceRules rules(config_of(R"(["192.168.1.10:80-82"])"));
    EXPECT_TRUE(rules.judge("web", "192.168.1.10:80-82"));
    EXPECT_THAT(rules.judge("web", "192.168.1.10:80-83").error().message,
                HasSubstr("does not allow 192.168.1.10:83"));
    EXPECT_TRUE(rules.judge("web", "nas.lan:80-99")) << "a name is judged when a visitor comes";
    EXPECT_FALSE(rules.judge("web", "nonsense"));
}

TEST(ServiceRules, AUnixSocketNeedsARuleThatNamesIt) {
    const ServiceRules rules(config_of(R"(["0.0.0.0/0", "unix:/run/app/*", "unix:/run/x.sock"])",
                                       mapping("own", "unix:/run/own.sock")));
    const auto allowed = [&](const std::string& path) {
        const auto service = rules.service_for("web", "unix:" + path);
        EXPECT_EQ(rules.judge("web", "unix:" + path).has_value(), rules.allows_path(*service)) << path;
        return rules.allows_path(*service);
    };
    EXPECT_TRUE(allowed("/run/x.sock"));
    EXPECT_TRUE(allowed("/run/app/web.sock"));
    EXPECT_TRUE(allowed("/run/own.sock"));
    EXPECT_FALSE(allowed("/run/docker.sock"));
    EXPECT_FALSE(allowed("/run/app/sub/web.sock"));
    EXPECT_TRUE(rules.service_for("own", "")->is_unix());
    EXPECT_THAT(rules.judge("web", "unix:/run/docker.sock").error().message,
                HasSubstr("its owner can add \"unix:/run/docker.sock\" to allow"));
    EXPECT_FALSE(
        may_dial(ServiceRules(config_of(R"(["unix:/run/x.sock"])")), "web", "127.0.0.1:80", "127.0.0.1"));
}

TEST(ServiceRules, TheObjectionNamesTheServiceAndTheRemedy) {
    const ServiceRules rules(config_of("[]"));
    const auto service = rules.service_for("web", "192.168.1.1:80");
    ASSERT_TRUE(service);
    EXPECT_THAT(rules.objection(*service), HasSubstr("192.168.1.1:80"));
    EXPECT_THAT(rules.objection(*service), HasSubstr("allow in client.toml"));
}

TEST(ServiceRules, CarriesTheDialTimeout) {
    auto config = config_of("[]");
    config.dial_timeout = Millis(1234);
    EXPECT_EQ(ServiceRules(config).dial_timeout(), Millis(1234));
}

}  // namespace
}  // namespace tunnel::client
