#include "tunnel-client/config/client_config.hpp"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>

#include "common/config/files.hpp"

namespace tunnel::client {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

constexpr std::string_view secret = "EBESExQVFhcYGRobHB0eHyAhIiMkJSYnKCkqKywtLi8";
const std::string link_line = fmt::format(
    "link = \"tunnel://home:{}@vps.example.com:7000?pin=oKGio6SlpqeoqaqrrK2ur7CxsrO0tba3uLm6u7y9vr8\"\n",
    secret);

ClientConfig good(const std::string& text, Link link = Link::required) {
    auto config = parse_client_config(text, "/etc/t/client.toml", link);
    EXPECT_TRUE(config) << config::to_error(config.error()).message;
    return config ? std::move(*config) : ClientConfig{};
}

std::vector<std::string> problems(const std::string& text, Link link = Link::required) {
    const auto config = parse_client_config(text, "c.toml", link);
    std::vector<std::string> texts;
    if (config) return texts;
    for (const auto& problem : config.error()) texts.push_back(config::to_string(problem));
    return texts;
}

TEST(ClientConfig, DefaultsStandInTheStruct) {
    const auto config = good(link_line);
    ASSERT_TRUE(config.link);
    EXPECT_EQ(config.link->client, "home");
    EXPECT_EQ(config.link->server, (HostPort{"vps.example.com", 7000}));
    EXPECT_EQ(config.ca_file, "");
    EXPECT_EQ(config.allow, loopback_rules());
    EXPECT_EQ(config.workers, 0U);
    EXPECT_EQ(config.drain, Seconds(30));
    EXPECT_EQ(config.dial_timeout, Seconds(10));
    EXPECT_FALSE(config.cipher);
    EXPECT_EQ(config.heartbeat, config::HeartbeatOptions{});
    EXPECT_EQ(config.log, config::LogOptions{});
    EXPECT_THAT(config.mappings, IsEmpty());
    EXPECT_THAT(config.warnings, IsEmpty());
}

TEST(ClientConfig, ReadsTheWaysToTheServer) {
    const auto config = good(link_line + R"(
servers = ["vps.example.com:443", "[2001:db8::1]:7000"]
way = "websocket"
proxy = "http://me:geheim@proxy.lan:3128"
)");
    EXPECT_THAT(config.servers, ElementsAre(HostPort{"vps.example.com", 443}, HostPort{"2001:db8::1", 7000}));
    EXPECT_EQ(config.way, WayChoice::websocket);
    ASSERT_TRUE(config.proxy);
    EXPECT_EQ(config.proxy->user, "me");
    EXPECT_EQ(good(link_line + "proxy = \"none\"").proxy->kind, Proxy::Kind::none);
    EXPECT_FALSE(good(link_line).proxy);
}

TEST(ClientConfig, WrongWaysToTheServerAreToldWithoutTheirSecret) {
    const auto told = problems(link_line + R"(servers = ["vps.example.com"]
way = "pigeon"
proxy = "http://me:geheim@proxy.lan"
)");
    ASSERT_THAT(told, SizeIs(3));
    EXPECT_THAT(told[0], HasSubstr("c.toml:2:12: servers"));
    EXPECT_THAT(told[1], HasSubstr("write auto, direct or websocket"));
    EXPECT_THAT(told[2], HasSubstr("c.toml:4:9: proxy"));
    EXPECT_THAT(told[2], Not(HasSubstr("geheim")));
}

TEST(ClientConfig, ReadsEveryKey) {
    const auto config = good(link_line + R"(
ca_file = "ca.pem"
allow = ["192.168.1.0/24:80", "nas.lan"]
workers = 2
drain = "5s"
dial_timeout = "500ms"
cipher = "chacha20-poly1305"
[heartbeat]
interval = "1s"
timeout = "2s"
[log]
level = "warn"
format = "json"
[[mapping]]
name = "ssh"
tcp = 2222
to = "127.0.0.1:22"
encrypt = false
[[mapping]]
name = "web"
to = "8080"
)");
    EXPECT_EQ(config.ca_file, "/etc/t/ca.pem");
    EXPECT_THAT(config.allow,
                ElementsAre(*parse_allow_rule("192.168.1.0/24:80"), *parse_allow_rule("nas.lan")));
    EXPECT_EQ(config.workers, 2U);
    EXPECT_EQ(config.drain, Seconds(5));
    EXPECT_EQ(config.dial_timeout, Millis(500));
    EXPECT_EQ(config.cipher, Cipher::chacha20_poly1305);
    EXPECT_EQ(config.heartbeat, (config::HeartbeatOptions{Seconds(1), Seconds(2)}));
    EXPECT_EQ(config.log, (config::LogOptions{LogLevel::warn, LogFormat::json}));
    EXPECT_THAT(config.mappings, SizeIs(2));
    EXPECT_EQ(config.mappings[0].name, "ssh");
    EXPECT_EQ(config.mappings[0].endpoint.ports, (PortRange{2222, 2222}));
    EXPECT_EQ(to_string(config.mappings[0].service), "127.0.0.1:22");
    EXPECT_FALSE(config.mappings[0].encrypt);
    EXPECT_EQ(config.mappings[1], (MappingOptions{"web", {}, *parse_service("8080")}));
    EXPECT_THAT(config.warnings, ElementsAre(HasSubstr("ca_file has no effect")));
}

TEST(ClientConfig, ReportsEveryProblemAtOnceInTheOrderOfTheFile) {
    EXPECT_THAT(
        problems("link = \"tunnel://home\"\n"
                 "alow = [\"::1\"]\n"
                 "allow = [\"::1\", \"nas lan\"]\n"
                 "dial_timeout = \"0s\"\n"
                 "kernel_tls = \"on\"\n"
                 "[[mapping]]\n"
                 "name = \"s s\"\n"
                 "tcp = 70000\n"
                 "to = \"x\"\n"
                 "encrypt = \"no\"\n"
                 "[[mapping]]\n"
                 "port = 80\n"),
        ElementsAre(HasSubstr("c.toml:1:8: link: the join link carries no NAME:SECRET@ part"),
                    "c.toml:2:1: unknown key \"alow\": did you mean \"allow\"?",
                    HasSubstr("c.toml:3:17: allow: \"nas lan\" is not an allow rule"),
                    "c.toml:4:16: dial_timeout: \"0s\" is out of range: write 100ms to 5m",
                    "c.toml:5:14: kernel_tls: \"on\" is no choice: write auto or off",
                    HasSubstr("c.toml:7:8: mapping.name: \"s s\" is not a mapping name"),
                    "c.toml:8:7: mapping.tcp: \"70000\" is not a port: write a number from 0 to 65535",
                    HasSubstr("c.toml:9:6: mapping.to: \"x\" is not a service"),
                    HasSubstr("c.toml:10:11: mapping.encrypt: this is text"),
                    HasSubstr("c.toml:11:1: this mapping has no name"),
                    HasSubstr("c.toml:11:1: this mapping has no service"),
                    HasSubstr("c.toml:12:1: unknown key \"port\" in [mapping]")));
}

TEST(ClientConfig, ACipherThatIsNoneIsReported) {
    EXPECT_THAT(problems(link_line + "cipher = \"rot13\"\n"),
                ElementsAre(HasSubstr("c.toml:2:10: cipher: \"rot13\" is not a cipher: write auto,")));
}

TEST(ClientConfig, DuplicatesAreReportedAtTheSecond) {
    const std::string text = link_line +
                             "[[mapping]]\nname = \"a\"\ntcp = 80\nto = \"1\"\n"
                             "[[mapping]]\nname = \"b\"\ntcp = 80\nto = \"2\"\n"
                             "[[mapping]]\nname = \"a\"\ntcp = 0\nto = \"3\"\n"
                             "[[mapping]]\nname = \"c\"\ntcp = 0\nto = \"3\"\n";
    EXPECT_THAT(problems(text),
                ElementsAre(HasSubstr("c.toml:8:7: mapping.tcp: 80 is the port of a mapping above"),
                            HasSubstr("c.toml:11:8: mapping.name: \"a\" is the name of a mapping above")));
}

TEST(ClientConfig, NeedsALinkUnlessOneIsGivenElsewhere) {
    EXPECT_THAT(problems("workers = 1\n"),
                ElementsAre(HasSubstr("c.toml:1:1: link is missing: run `tunnel-client join`")));
    EXPECT_FALSE(good("workers = 1\n", Link::optional).link);
    EXPECT_THAT(problems("link = 5\n"), ElementsAre(HasSubstr("c.toml:1:8: link: this is a whole number")));
    EXPECT_THAT(problems("link = \"x\"\n", Link::optional), SizeIs(1)) << "a bad link is bad in any case";
    EXPECT_THAT(problems("link = \n"), SizeIs(1)) << "a syntax error is not a missing link as well";
}

TEST(ClientConfig, NoProblemQuotesTheSecret) {
    const std::string link(link_line);
    const auto at = link.find(secret);
    for (const auto& text :
         {"link = tunnel://home:" + std::string(secret) + "@vps?pin=x\n",
          "link = \"" + std::string(secret) + "\n", "link = [\"" + std::string(secret) + "\"]\n",
          std::string(secret) + "\n", link + link, link.substr(0, at + 20) + "\"\n",
          link.substr(0, at) + "x" + link.substr(at), "link = \"\\" + std::string(secret) + "\"\n",
          "link = " + std::string(secret) + "\n"}) {
        const auto found = problems(text);
        ASSERT_THAT(found, Not(IsEmpty())) << text;
        for (const auto& problem : found) {
            EXPECT_THAT(problem, Not(HasSubstr("EBES"))) << text;
            EXPECT_THAT(problem, Not(HasSubstr("LCkq"))) << text;
            EXPECT_THAT(problem, Not(HasSubstr("GRob"))) << text;
        }
    }
}

TEST(ClientConfig, RangesAndSocketsOfTwoMappingsDoNotMeet) {
    const auto mapping = [](const std::string& name, const std::string& where, const std::string& to) {
        return "[[mapping]]\nname = \"" + name + "\"\n" + where + "\nto = \"" + to + "\"\n";
    };
    EXPECT_THAT(problems(link_line + mapping("a", "tcp = \"6000-6010\"", "6000-6010") +
                         mapping("b", "tcp = 6010", "22")),
                ElementsAre(HasSubstr("c.toml:8:7: mapping.tcp: 6010 is the port of a mapping above")));
    EXPECT_THAT(
        problems(link_line + mapping("a", "unix = \"/run/a\"", "1") + mapping("b", "unix = \"/run/a\"", "2")),
        ElementsAre(HasSubstr("mapping.unix: /run/a is the socket of a mapping above")));
    EXPECT_THAT(problems(link_line + mapping("a", "tcp = \"192.0.2.1:80\"", "1") +
                         mapping("b", "tcp = \"192.0.2.2:80\"", "2")),
                IsEmpty());
}

class LoadClientConfig : public testing::Test {
  protected:
    LoadClientConfig() {
        std::string pattern = (std::filesystem::temp_directory_path() / "tunnel-config-XXXXXX").string();
        if (::mkdtemp(pattern.data()) == nullptr) std::abort();
        folder = pattern;
        paths.config = folder + "/client.toml";
    }
    ~LoadClientConfig() override { std::filesystem::remove_all(folder); }
    std::string folder;
    config::ClientPaths paths;
};

TEST_F(LoadClientConfig, AMissingFileNamesJoin) {
    const auto config = load_client_config(paths);
    ASSERT_FALSE(config);
    EXPECT_THAT(config::to_string(config.error().at(0)),
                HasSubstr(paths.config + ": the file does not exist: run `tunnel-client join`"));
    const auto optional = load_client_config(paths, Link::optional);
    ASSERT_TRUE(optional);
    EXPECT_FALSE(optional->link);
    EXPECT_EQ(optional->file, paths.config);
}

TEST_F(LoadClientConfig, WarnsWhenOthersCanReadTheSecret) {
    ASSERT_TRUE(config::write_private_file(paths.config, link_line, config::Overwrite::no));
    EXPECT_THAT(load_client_config(paths)->warnings, IsEmpty());
    for (const mode_t mode : {0640U, 0604U}) {
        ASSERT_EQ(::chmod(paths.config.c_str(), mode), 0);
        const auto config = load_client_config(paths);
        ASSERT_TRUE(config) << "a warning is not fatal";
        EXPECT_THAT(config->warnings, ElementsAre(HasSubstr("chmod 600 " + paths.config)));
    }
}

TEST_F(LoadClientConfig, AFileWithoutSecretMayBeRead) {
    ASSERT_TRUE(config::write_private_file(paths.config, "workers = 1\n", config::Overwrite::no, 0644));
    EXPECT_THAT(load_client_config(paths, Link::optional)->warnings, IsEmpty());
}

TEST_F(LoadClientConfig, AFolderInItsPlaceIsReported) {
    paths.config = folder;
    EXPECT_THAT(load_client_config(paths, Link::optional).error().at(0).message, HasSubstr("Is a directory"));
}

}  // namespace
}  // namespace tunnel::client
