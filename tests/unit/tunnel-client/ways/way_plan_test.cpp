#include "tunnel-client/ways/way_plan.hpp"

#include <gmock/gmock.h>

namespace tunnel::client {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

config::JoinLink link_to(const HostPort& server, config::Via via = config::Via::unsaid) {
    return {"home", Secret(config::client_secret_bytes), server, config::Pin{}, via};
}

std::optional<std::string> no_environment(const char*) {
    return std::nullopt;
}

Ways ways_of(const ClientConfig& config, const config::JoinLink& link) {
    auto ways = make_ways(config, link, no_environment);
    EXPECT_TRUE(ways) << ways.error().message;
    return ways.value_or(Ways{});
}

std::vector<std::string> texts(const Ways& ways) {
    std::vector<std::string> out;
    for (const auto& way : ways) out.push_back(fmt::format("{} {}", to_string(way->server), to_string(*way)));
    return out;
}

const HostPort first{"a", 7000};
const HostPort second{"b", 443};

ClientConfig two_servers() {
    ClientConfig config;
    config.servers = {first, second};  // the link's own counts once
    return config;
}

Error error(Errc code, std::string message) {
    return {code, std::move(message), 0};
}

TEST(Ways, AutoIsDirectThenWebsocketForEachServer) {
    EXPECT_THAT(texts(ways_of(two_servers(), link_to(first))),
                ElementsAre("a:7000 direct", "a:7000 websocket", "b:443 direct", "b:443 websocket"));
}

TEST(Ways, TheConfigSaysMoreThanTheLink) {
    ClientConfig config;
    EXPECT_THAT(texts(ways_of(config, link_to(first, config::Via::websocket))),
                ElementsAre("a:7000 websocket"));
    config.way = WayChoice::direct;
    EXPECT_THAT(texts(ways_of(config, link_to(first, config::Via::websocket))), ElementsAre("a:7000 direct"));
    config.way = WayChoice::websocket;
    EXPECT_THAT(texts(ways_of(config, link_to(first))), ElementsAre("a:7000 websocket"));
}

TEST(Ways, TheConfigsProxyComesBeforeTheEnvironments) {
    const auto environment = [](const char* name) -> std::optional<std::string> {
        if (std::string_view(name) == "ALL_PROXY") return "socks5://me:geheim@b:1080";
        return std::nullopt;
    };
    ClientConfig config;
    config.way = WayChoice::direct;
    EXPECT_THAT(texts(make_ways(config, link_to(first), environment).value()),
                ElementsAre("a:7000 direct through the SOCKS5 proxy b:1080"));
    config.proxy = parse_proxy("none").value();
    EXPECT_THAT(texts(make_ways(config, link_to(first), environment).value()), ElementsAre("a:7000 direct"));
}

TEST(WayPlan, TriesAllInTurnAndTellsWhatEachSaid) {
    WayPlan plan(ways_of(two_servers(), link_to(first)));
    EXPECT_FALSE(plan.failed(error(Errc::unauthenticated, "foreign"), true));
    EXPECT_EQ(to_string(*plan.current()), "websocket");
    EXPECT_FALSE(plan.failed(error(Errc::unavailable, "HTTP 404"), true));
    EXPECT_EQ(plan.current()->server, second);
    EXPECT_FALSE(plan.failed(error(Errc::closed, "closed"), true));
    EXPECT_TRUE(plan.failed(error(Errc::closed, "closed"), true));
    EXPECT_EQ(plan.summary().code, Errc::unavailable);
    EXPECT_THAT(plan.summary().message,
                HasSubstr("a:7000 direct: foreign; a:7000 websocket: HTTP 404; b:443 direct"));
    EXPECT_EQ(plan.current()->server, first);
    EXPECT_EQ(to_string(*plan.current()), "direct");
}

TEST(WayPlan, WhatAllSaidIsToldOnce) {
    WayPlan plan(ways_of({}, link_to(first)));
    EXPECT_FALSE(plan.failed(error(Errc::unauthenticated, "wrong pin"), true));
    EXPECT_TRUE(plan.failed(error(Errc::unauthenticated, "wrong pin"), true));
    EXPECT_EQ(plan.summary().code, Errc::unauthenticated);
    EXPECT_EQ(plan.summary().message, "wrong pin");
}

TEST(WayPlan, WhereNobodyListensWebsocketIsNotTried) {
    WayPlan plan(ways_of(two_servers(), link_to(first)));
    EXPECT_FALSE(plan.failed(error(Errc::unavailable, "refused"), false));
    EXPECT_EQ(plan.current()->server, second);
    EXPECT_TRUE(plan.failed(error(Errc::unavailable, "refused, too"), false));
    EXPECT_EQ(plan.current()->server, first);
}

TEST(WayPlan, BeginsWithWhatWorked) {
    WayPlan plan(ways_of(two_servers(), link_to(first)));
    EXPECT_FALSE(plan.failed(error(Errc::closed, "closed"), true));
    plan.worked();
    EXPECT_EQ(to_string(*plan.current()), "websocket");
    EXPECT_FALSE(plan.failed(error(Errc::closed, "lost"), true));
    EXPECT_FALSE(plan.failed(error(Errc::closed, "closed"), true));
    EXPECT_FALSE(plan.failed(error(Errc::closed, "closed"), true));
    EXPECT_EQ(to_string(*plan.current()), "direct");
    EXPECT_TRUE(plan.failed(error(Errc::closed, "closed"), true));
    EXPECT_EQ(to_string(*plan.current()), "websocket");
}

}  // namespace
}  // namespace tunnel::client
