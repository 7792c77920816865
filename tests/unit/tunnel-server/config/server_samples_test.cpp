#include <gmock/gmock.h>

#include <filesystem>

#include "common/config/files.hpp"
#include "common/config/toml_reader.hpp"
#include "tunnel-server/config/server_config.hpp"

namespace tunnel::server {
namespace {

namespace fs = std::filesystem;

const config::ServerPaths paths{"server.toml", "server.crt", "server.key", "server.db", "admin.sock"};

std::string sample(const fs::path& file) {
    const auto text = config::read_file(file.string());
    EXPECT_TRUE(text) << file;
    return text.value_or("");
}

TEST(Samples, EveryOneBelongsToAProgram) {
    for (const auto& entry : fs::directory_iterator(TUNNEL_SAMPLES)) {
        const auto name = entry.path().filename().string();
        if (entry.path().extension() != ".toml") continue;
        EXPECT_TRUE(name.starts_with("server") || name.starts_with("client"))
            << name << " is parsed by no test: begin its name with server or client";
    }
}

TEST(Samples, OfTheServerParse) {
    int parsed = 0;
    for (const auto& entry : fs::directory_iterator(TUNNEL_SAMPLES)) {
        const auto name = entry.path().filename().string();
        if (entry.path().extension() != ".toml" || !name.starts_with("server")) continue;
        const auto config = parse_server_config(sample(entry.path()), paths);
        EXPECT_TRUE(config) << name << "\n" << config::to_error(config.error()).message;
        ++parsed;
    }
    EXPECT_GT(parsed, 0);
}

TEST(Samples, ServerTomlHasEveryKeyAndTheDefaults) {
    auto text = sample(fs::path(TUNNEL_SAMPLES) / "server.toml");
    // The one that has no default.
    const std::string commented = "# [[list]]\n# name = \"office\"\n# file = \"office.list\"\n";
    const auto list = text.find(commented);
    ASSERT_NE(list, std::string::npos);
    text.replace(list, commented.size(), "[[list]]\nname = \"office\"\nfile = \"office.list\"\n");
    EXPECT_EQ(config::Document::parse(text, "server.toml").present_keys(), server_config_keys());
    const auto config = parse_server_config(text, paths);
    ASSERT_TRUE(config);
    ServerConfig wanted;
    wanted.file = paths.config;
    wanted.tls.certificate = paths.certificate;
    wanted.tls.key = paths.key;
    wanted.store.path = paths.store;
    wanted.admin.socket = paths.admin_socket;
    wanted.lists = {{"office", config::path_from_config(paths.config, "office.list")}};
    EXPECT_EQ(*config, wanted);
}

TEST(Samples, ServerTomlIsWhatInitWrites) {
    EXPECT_EQ(sample(fs::path(TUNNEL_SAMPLES) / "server.toml"), server_config_template());
}

TEST(Template, CarriesWhatInitWasTold) {
    const auto config = parse_server_config(
        server_config_template({"vps.example.com", {{"127.0.0.1", 7000}, {"::1", 0}}}), paths);
    ASSERT_TRUE(config) << config::to_error(config.error()).message;
    EXPECT_EQ(config->public_host, "vps.example.com");
    EXPECT_THAT(config->listen, testing::ElementsAre(HostPort{"127.0.0.1", 7000}, HostPort{"::1", 0}));
}

TEST(Keys, AreTheOnesOfTheDocumentation) {
    EXPECT_THAT(server_config_keys(),
                testing::ElementsAre(
                    "admin.group", "admin.socket", "allow_ports", "allow_unix", "bind", "cipher", "drain",
                    "grace", "heartbeat.interval", "heartbeat.timeout", "kernel_tls", "limits.ready",
                    "limits.ready_per_client", "limits.unauthenticated", "limits.unauthenticated_per_address",
                    "limits.waiting_visitors", "list.file", "list.name", "listen", "log.format", "log.level",
                    "public_host", "store.path", "tls.certificate", "tls.key", "tls.link", "websocket.link",
                    "websocket.trusted", "workers"));
}

}  // namespace
}  // namespace tunnel::server
