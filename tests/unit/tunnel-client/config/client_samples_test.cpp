#include <gmock/gmock.h>

#include <filesystem>

#include "common/config/files.hpp"
#include "common/config/toml_reader.hpp"
#include "tunnel-client/config/client_config.hpp"

namespace tunnel::client {
namespace {

namespace fs = std::filesystem;

std::string sample(const fs::path& file) {
    const auto text = config::read_file(file.string());
    EXPECT_TRUE(text) << file;
    return text.value_or("");
}

TEST(Samples, OfTheClientParse) {
    int parsed = 0;
    for (const auto& entry : fs::directory_iterator(TUNNEL_SAMPLES)) {
        const auto name = entry.path().filename().string();
        if (entry.path().extension() != ".toml" || !name.starts_with("client")) continue;
        const auto config = parse_client_config(sample(entry.path()), name);
        EXPECT_TRUE(config) << config::to_error(config.error()).message;
        ++parsed;
    }
    EXPECT_GT(parsed, 1);
}

TEST(Samples, ClientTomlHasEveryKeyAndTheDefaults) {
    const auto text = sample(fs::path(TUNNEL_SAMPLES) / "client.toml");
    EXPECT_EQ(config::Document::parse(text, "client.toml").present_keys(), client_config_keys());
    const auto config = parse_client_config(text, "client.toml");
    ASSERT_TRUE(config);
    const ClientConfig defaults;
    EXPECT_EQ(config->ca_file, defaults.ca_file);
    EXPECT_EQ(config->servers, defaults.servers);
    EXPECT_EQ(config->way, defaults.way);
    EXPECT_EQ(config->proxy, defaults.proxy);
    EXPECT_EQ(config->allow, defaults.allow);
    EXPECT_EQ(config->workers, defaults.workers);
    EXPECT_EQ(config->kernel_tls, defaults.kernel_tls);
    EXPECT_EQ(config->drain, defaults.drain);
    EXPECT_EQ(config->dial_timeout, defaults.dial_timeout);
    EXPECT_EQ(config->cipher, defaults.cipher);
    EXPECT_EQ(config->heartbeat, defaults.heartbeat);
    EXPECT_EQ(config->log, defaults.log);
    EXPECT_THAT(config->warnings, testing::IsEmpty());
}

TEST(Keys, AreTheOnesOfTheDocumentation) {
    EXPECT_THAT(
        client_config_keys(),
        testing::ElementsAre(
            "allow", "ca_file", "cipher", "dial_timeout", "drain", "heartbeat.interval", "heartbeat.timeout",
            "kernel_tls", "link", "log.format", "log.level", "mapping.accept_proxy_from", "mapping.allow",
            "mapping.backup", "mapping.balance", "mapping.bandwidth_burst", "mapping.bandwidth_in",
            "mapping.bandwidth_out", "mapping.check", "mapping.check_fall", "mapping.check_interval",
            "mapping.check_path", "mapping.check_rise", "mapping.check_status", "mapping.check_timeout",
            "mapping.deny", "mapping.encrypt", "mapping.flow_timeout", "mapping.group",
            "mapping.idle_timeout", "mapping.keepalive", "mapping.lifetime", "mapping.max_visitors",
            "mapping.member", "mapping.name", "mapping.proxy_protocol", "mapping.tcp", "mapping.to",
            "mapping.transport", "mapping.udp", "mapping.unix", "mapping.visitors_per_second",
            "mapping.visitors_per_second_per_address", "mapping.weight", "proxy", "servers", "way",
            "workers"));
}

}  // namespace
}  // namespace tunnel::client
