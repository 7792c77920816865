#include "tunnel-server/config/server_config.hpp"

#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>

#include "common/config/files.hpp"

namespace tunnel::server {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const config::ServerPaths paths{"/etc/t/server.toml", "/etc/t/server.crt", "/etc/t/server.key",
                                "/var/t/server.db", "/run/t/admin.sock"};

ServerConfig defaults() {
    ServerConfig config;
    config.file = paths.config;
    config.tls.certificate = paths.certificate;
    config.tls.key = paths.key;
    config.store.path = paths.store;
    config.admin.socket = paths.admin_socket;
    return config;
}

ServerConfig good(std::string_view text) {
    auto config = parse_server_config(text, paths);
    EXPECT_TRUE(config) << config::to_error(config.error()).message;
    return config.value_or(ServerConfig{});
}

std::vector<std::string> problems(std::string_view text) {
    const auto config = parse_server_config(text, paths);
    std::vector<std::string> texts;
    if (config) return texts;
    for (const auto& problem : config.error()) texts.push_back(config::to_string(problem));
    return texts;
}

TEST(ServerConfig, OfAnEmptyFileIsTheDefaults) {
    EXPECT_EQ(good(""), defaults());
    EXPECT_EQ(good("[tls]\n[store]\n[admin]\n[limits]\n[heartbeat]\n[log]\n"), defaults());
}

TEST(ServerConfig, ReadsEveryKey) {
    const auto config = good(R"(
public_host = "vps.example.com"
listen = ["127.0.0.1:0", "[::1]:7001"]
bind = ["192.0.2.1", "2001:db8::1"]
allow_ports = ["80", "2000-3000"]
allow_unix = ["/run/tunnel/*", "/run/web.sock"]
workers = 3
grace = "0s"
drain = "2m"
cipher = "aes-128-gcm"
[heartbeat]
interval = "1s"
timeout = "5s"
[tls]
certificate = "keys/c.pem"
key = "/srv/k.pem"
link = "ca"
[store]
path = "s.db"
[admin]
socket = "a.sock"
group = "admins"
[limits]
unauthenticated = 1
unauthenticated_per_address = 2
waiting_visitors = 0
[[list]]
name = "office"
file = "lists/office"
[[list]]
name = "blocked"
file = "/srv/blocked"
[log]
level = "debug"
format = "json"
)");
    ServerConfig wanted;
    wanted.file = "/etc/t/server.toml";
    wanted.public_host = "vps.example.com";
    wanted.listen = {{"127.0.0.1", 0}, {"::1", 7001}};
    wanted.bind = {*parse_ip("192.0.2.1"), *parse_ip("2001:db8::1")};
    wanted.allow_ports = {{80, 80}, {2000, 3000}};
    wanted.allow_unix = {{"/run/tunnel", ""}, {"/run", "web.sock"}};
    wanted.workers = 3;
    wanted.grace = Millis(0);
    wanted.drain = Seconds(120);
    wanted.cipher = Cipher::aes_128_gcm;
    wanted.heartbeat = {Seconds(1), Seconds(5)};
    wanted.tls = {"/etc/t/keys/c.pem", "/srv/k.pem", LinkTrust::ca};
    wanted.store = {"/etc/t/s.db"};
    wanted.admin = {"/etc/t/a.sock", "admins"};
    wanted.limits = {1, 2, 0};
    wanted.lists = {{"office", "/etc/t/lists/office"}, {"blocked", "/srv/blocked"}};
    wanted.log = {LogLevel::debug, LogFormat::json};
    EXPECT_EQ(config, wanted);
}

TEST(ServerConfig, ReportsEveryProblemAtOnceInTheOrderOfTheFile) {
    EXPECT_THAT(
        problems("public_host = \"vps:7000\"\n"
                 "listen = [\"localhost:7000\", \"[::]:x\"]\n"
                 "bind = [\"*\"]\n"
                 "alow_ports = [\"1024-65535\"]\n"
                 "workers = \"all\"\n"
                 "grace = \"2h\"\n"
                 "[tls]\n"
                 "link = \"psk\"\n"
                 "[limits]\n"
                 "unauthenticated = 0\n"
                 "[log]\n"
                 "level = \"loud\"\n"
                 "[metrics]\n"),
        ElementsAre(HasSubstr("/etc/t/server.toml:1:15: public_host: \"vps:7000\" is not a host"),
                    HasSubstr("/etc/t/server.toml:2:11: listen: \"localhost:7000\" names a host"),
                    HasSubstr("/etc/t/server.toml:2:29: listen: \"x\" is not a port"),
                    HasSubstr("/etc/t/server.toml:3:9: bind: \"*\" is not an address"),
                    "/etc/t/server.toml:4:1: unknown key \"alow_ports\": did you mean \"allow_ports\"?",
                    HasSubstr("/etc/t/server.toml:5:11: workers: this is text"),
                    "/etc/t/server.toml:6:9: grace: \"2h\" is out of range: write 0s to 1h",
                    HasSubstr("/etc/t/server.toml:8:8: tls.link: \"psk\""),
                    "/etc/t/server.toml:10:19: limits.unauthenticated: 0 is out of range: write 1 to 1000000",
                    HasSubstr("/etc/t/server.toml:12:9: log.level: \"loud\""),
                    HasSubstr("/etc/t/server.toml:13:2: unknown key \"metrics\"")));
}

TEST(ServerConfig, ASyntaxErrorHasItsPosition) {
    EXPECT_THAT(problems("workers = 1\ngrace = 15s\n"), ElementsAre(HasSubstr("/etc/t/server.toml:2:")));
}

TEST(ServerConfig, TheWebServerInFront) {
    const auto config = parse_server_config(
        "[websocket]\ntrusted = [\"10.0.0.0/8\"]\nlink = \"vps.example.com:443\"\n", paths);
    ASSERT_TRUE(config) << config::to_error(config.error()).message;
    EXPECT_EQ(config->websocket.trusted, std::vector<Network>{parse_network("10.0.0.0/8").value()});
    EXPECT_EQ(config->websocket.link, (HostPort{"vps.example.com", 443}));
    EXPECT_FALSE(parse_server_config("[websocket]\nlink = \"vps.example.com\"\n", paths));
    // The defaults are these machines' own.
    const WebSocketOptions defaults;
    const std::vector<Network> loopback{parse_network("127.0.0.0/8").value(), parse_network("::1").value()};
    EXPECT_EQ(defaults.trusted, loopback);
}

TEST(ServerConfig, AListWithoutAddressesIsRefused) {
    EXPECT_THAT(problems("listen = []\nbind = []\n"),
                ElementsAre(HasSubstr("server.toml:1:10: listen: the list is empty"),
                            HasSubstr("server.toml:2:8: bind: the list is empty")));
}

TEST(ServerConfig, ASocketPathThatUnixCannotTakeIsRefused) {
    const std::string longest(107, 'x');
    EXPECT_EQ(good("[admin]\nsocket = \"/" + longest.substr(1) + "\"\n").admin.socket.size(), 107U);
    EXPECT_THAT(problems("[admin]\nsocket = \"/" + longest + "\"\n"),
                ElementsAre(HasSubstr("server.toml:2:10: the path of the admin socket has 108 bytes")));
    auto deep = paths;
    deep.admin_socket = "/" + std::string(120, 'd') + "/admin.sock";
    const auto config = parse_server_config("", deep);
    ASSERT_FALSE(config) << "a default that is too long is no better";
    EXPECT_THAT(config.error().at(0).message, HasSubstr("write a shorter one"));
}

TEST(ServerConfig, EmptyPathsAreTheDefaultOnes) {
    EXPECT_EQ(good("[tls]\ncertificate = \"\"\nkey = \"\"\n[store]\npath = \"\"\n[admin]\nsocket = \"\"\n"),
              defaults());
}

TEST(ServerConfig, PublicHostIsANameOrAnAddress) {
    EXPECT_EQ(parse_public_host(""), "");
    EXPECT_EQ(parse_public_host("vps.example.com"), "vps.example.com");
    EXPECT_EQ(parse_public_host("2001:db8::1"), "2001:db8::1");
    EXPECT_EQ(parse_public_host("[2001:db8::1]"), "2001:db8::1");
    EXPECT_EQ(parse_public_host("192.0.2.1"), "192.0.2.1");
    for (const auto* bad :
         {"vps.example.com:7000", "[2001:db8::1]:80", "http://vps", "v p s", "\"", "vps\nx = 1"}) {
        const auto host = parse_public_host(bad);
        ASSERT_FALSE(host) << bad;
        EXPECT_THAT(host.error().message, HasSubstr("without a port")) << bad;
    }
}

TEST(ServerConfig, PrintedHostIsNeverEmpty) {
    ServerConfig config;
    EXPECT_FALSE(printed_host(config).empty());
    config.public_host = "vps";
    EXPECT_EQ(printed_host(config), "vps");
}

TEST(ServerConfig, PortsAreAllowedByRangeAndTheTunnelPortNever) {
    auto config = good("listen = [\"[::]:7000\", \"127.0.0.1:80\"]\nallow_ports = [\"80\", \"2000-8000\"]\n");
    EXPECT_TRUE(config.port_allowed(2000));
    EXPECT_TRUE(config.port_allowed(8000));
    EXPECT_FALSE(config.port_allowed(1999));
    EXPECT_FALSE(config.port_allowed(8001));
    EXPECT_FALSE(config.port_allowed(7000));
    EXPECT_FALSE(config.port_allowed(80));
    EXPECT_FALSE(config.port_allowed(0));
    config.allow_ports.clear();
    EXPECT_FALSE(config.port_allowed(2000));
    EXPECT_FALSE(ServerConfig{}.port_allowed(1023));
    EXPECT_TRUE(ServerConfig{}.port_allowed(1024));
}

TEST(ServerConfig, TellsWhatAReloadCannotChange) {
    const auto now = defaults();
    EXPECT_THAT(settings_needing_restart(now, now), IsEmpty());
    auto next = now;
    next.public_host = "x";
    next.bind = {*parse_ip("127.0.0.1")};
    next.allow_ports = {{80, 80}};
    next.grace = next.drain = Seconds(1);
    next.cipher = Cipher::chacha20_poly1305;
    next.heartbeat = {Seconds(1), Seconds(2)};
    next.tls.certificate = "x";
    next.limits = {1, 1, 1};
    next.log = {LogLevel::debug, LogFormat::json};
    EXPECT_THAT(settings_needing_restart(now, next), IsEmpty());
    next.listen[0].port = 7001;
    next.workers = 9;
    next.kernel_tls = config::KernelTlsChoice::automatic;
    next.store.path = "x";
    next.admin = {"x", "y"};
    EXPECT_THAT(settings_needing_restart(now, next),
                ElementsAre("listen", "workers", "kernel_tls", "store.path", "admin.socket", "admin.group"));
}

TEST(ServerConfig, LoadsFromItsFile) {
    std::string folder = (std::filesystem::temp_directory_path() / "tunnel-config-XXXXXX").string();
    ASSERT_NE(::mkdtemp(folder.data()), nullptr);
    auto here = paths;
    here.config = folder + "/server.toml";
    const auto missing = load_server_config(here);
    ASSERT_FALSE(missing);
    EXPECT_EQ(config::to_string(missing.error().at(0)),
              here.config + ": the file does not exist: run `tunnel-server init` first");
    ASSERT_TRUE(
        config::write_private_file(here.config, "workers = 7\n[tls]\nkey = \"k\"\n", config::Overwrite::no));
    const auto config = load_server_config(here);
    ASSERT_TRUE(config);
    EXPECT_EQ(config->workers, 7U);
    EXPECT_EQ(config->tls.key, folder + "/k");
    EXPECT_EQ(config->file, here.config);
    here.config = folder;
    EXPECT_THAT(load_server_config(here).error().at(0).message, HasSubstr("Is a directory"));
    std::filesystem::remove_all(folder);
}

TEST(ServerConfig, AListHasANameOfItsOwnAndAFile) {
    EXPECT_THAT(problems("[[list]]\n"),
                ElementsAre(HasSubstr("this list has no name: write name = \"NAME\""),
                            HasSubstr("this list has no file: write file = \"PATH\"")));
    EXPECT_THAT(problems("[[list]]\nname = \"a\"\nfile = \"x\"\n[[list]]\nname = \"a\"\nfile = \"y\"\n"),
                ElementsAre(HasSubstr(":5:8: list.name: \"a\" is the name of a list above")));
    EXPECT_THAT(problems("[[list]]\nname = \"a b\"\nfile = \"x\"\n"), ElementsAre(HasSubstr("list.name")));
}

}  // namespace
}  // namespace tunnel::server
