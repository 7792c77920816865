// What may be typed, what is refused before any server is asked, and where the socket is looked for.

#include <gmock/gmock.h>

#include <fstream>

#include "tests/unit/tunnel-server/tunnelctl/fake_server.hpp"

namespace tunnel::ctl {
namespace {

using proto::AdminResponse;
using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

using Words = std::vector<std::string>;

const std::vector<Words> every_verb{
    {"client", "list"},     {"client", "add"},       {"client", "remove"}, {"client", "rotate"},
    {"mapping", "add"},     {"mapping", "list"},     {"mapping", "show"},  {"mapping", "pause"},
    {"mapping", "resume"},  {"mapping", "remove"},   {"session", "list"},  {"session", "close"},
    {"connection", "list"}, {"connection", "close"}, {"status"},
};

TEST_F(TunnelctlTest, EveryVerbHasHelpWithAnExample) {
    for (auto words : every_verb) {
        std::string command = "tunnelctl";
        for (const auto& word : words) command += ' ' + word;
        words.push_back("--help");
        const auto outcome = run_words(words);
        EXPECT_EQ(outcome.code, 0) << command;
        EXPECT_EQ(outcome.err, "") << command;
        EXPECT_THAT(outcome.out, AllOf(HasSubstr("Usage: " + command), HasSubstr("Example:\n  " + command)));
    }
    for (const Words& words : {Words{"--help"}, Words{"client", "--help"}}) {
        EXPECT_EQ(run_words(words).code, 0);
        EXPECT_THAT(run_words(words).out, StartsWith(words.size() == 1 ? "Controls" : "Who may connect"));
    }
}

TEST_F(TunnelctlTest, WrongUsageIsExplainedAndExitsWith2) {
    const std::vector<std::pair<Words, std::string>> cases{
        {{},
         "\"tunnelctl\" is not a whole command: after \"tunnelctl\" write one of client, mapping, session, "
         "connection, status\nSee \"tunnelctl --help\""},
        {{"destroy"}, "\"destroy\" is not a command"},
        {{"client"},
         "\"tunnelctl client\" is not a whole command: after \"tunnelctl client\" write one of list, "
         "add, show, set, remove, rotate"},
        {{"client", "destroy"}, "\"destroy\" is not a command: after \"tunnelctl client\" write"},
        {{"client", "add"}, "NAME is required\nSee \"tunnelctl client add --help\""},
        {{"client", "add", "a", "b"}, "The following argument was not expected: b"},
        {{"client", "add", "no spaces"}, "\"no spaces\" is not a client name"},
        {{"client", "list", "--loud"}, "--loud"},
        {{"mapping", "add", "ssh", "--tcp", "1", "--to", "22"}, "Name the client with --client CLIENT"},
        {{"mapping", "add", "ssh", "--client", "h", "--tcp", "1-2", "--to", "22"},
         "has 2 public ports and 1 of the service"},
        {{"mapping", "add", "ssh", "--client", "h", "--tcp", "1"}, "--to is required"},
        {{"mapping", "add", "ssh", "--client", "h", "--tcp", "65536", "--to", "22"},
         "--tcp: \"65536\" is not a port: write a number from 0 to 65535"},
        {{"mapping", "add", "ssh", "--client", "h", "--tcp", "-1", "--to", "22"}, "--tcp"},
        {{"mapping", "add", "ssh", "--client", "h", "--tcp", "1", "--to", "127.0.0.1"},
         "--to: \"127.0.0.1\""},
        {{"mapping", "add", "ssh", "--client", "h", "--tcp", "1", "--to", "127.0.0.1:0"}, "--to: \"0\""},
        {{"mapping", "show", "home/ssh", "--client", "office"}, "name two clients"},
        {{"mapping", "show", "home/ssh/x"}, "\"ssh/x\" is not a mapping name"},
        {{"mapping", "show", "/ssh"}, "\"\" is not a client name"},
        {{"connection", "list", "--mapping", "a b"}, "\"a b\" is not a mapping name"},
        {{"connection", "close", "first"}, "\"first\" is not a connection's id"},
        {{"connection", "close", "0"}, "\"0\" is not a connection's id"},
        {{"connection", "close", "18446744073709551616"}, "is not a connection's id"},
        {{"status", "--dir", "/x", "--config", "/y"}, "excludes"},
        {{"status", "--socket"}, "--socket"},
    };
    for (const auto& [words, explanation] : cases) {
        const auto outcome = run_words(words);
        EXPECT_EQ(outcome.code, 2) << explanation;
        EXPECT_EQ(outcome.out, "");
        EXPECT_THAT(outcome.err, AllOf(StartsWith("tunnelctl: "), HasSubstr(explanation)));
    }
}

TEST_F(TunnelctlTest, NamesMayBeSpelledLikeVerbsAndNouns) {
    for (const std::string name : {"list", "add", "client", "status", "mapping"}) {
        run_against(done(), {"client", "remove", name});
        EXPECT_EQ(request.client_remove().name(), name);
    }
}

TEST_F(TunnelctlTest, GlobalOptionsMayStandAnywhere) {
    AdminResponse answer;
    answer.mutable_clients();
    const std::vector<Words> orders{{"--json", "--socket", socket, "client", "list"},
                                    {"client", "--socket", socket, "--json", "list"},
                                    {"client", "list", "--json", "--socket", socket},
                                    {"client", "--json", "list", "--socket=" + socket}};
    for (const auto& words : orders) {
        FakeServer server(socket, frame_of(answer));
        const auto outcome = run_words(words);
        EXPECT_EQ(outcome.code, 0) << outcome.err;
        EXPECT_EQ(outcome.out, "[]\n");
        EXPECT_TRUE(server.request());
        std::filesystem::remove(socket);
    }
}

class TunnelctlSocketTest : public TunnelctlTest {
  protected:
    // Whether a server that listens at `path` is found with these words.
    bool found_at(const std::filesystem::path& path, Words words) {
        std::filesystem::create_directories(path.parent_path());
        bool asked = false;
        {
            FakeServer server(path.string(), frame_of(done()));
            words.insert(words.begin(), {"client", "remove", "home"});
            const auto outcome = run_words(words);
            EXPECT_EQ(outcome.code, 0) << outcome.err;
            asked = server.request().has_value();
        }
        std::filesystem::remove(path);
        return asked;
    }
    void write_config(const std::filesystem::path& path, std::string_view text) {
        std::filesystem::create_directories(path.parent_path());
        std::ofstream(path) << text;
    }
};

TEST_F(TunnelctlSocketTest, DirHoldsTheSocket) {
    EXPECT_TRUE(found_at(folder / "x" / "admin.sock", {"--dir", (folder / "x").string()}));
}

TEST_F(TunnelctlSocketTest, SocketGoesBeforeDirAndConfig) {
    const auto socket_path = folder / "s" / "here.sock";
    EXPECT_TRUE(found_at(socket_path, {"--dir", "/nowhere", "--socket", socket_path.string()}));
    EXPECT_TRUE(found_at(socket_path, {"--config", "/nowhere", "--socket", socket_path.string()}));
}

TEST_F(TunnelctlSocketTest, AServersConfigInDirMayMoveTheSocket) {
    write_config(folder / "x" / "server.toml", "[admin]\nsocket = \"moved.sock\"\n");
    EXPECT_TRUE(found_at(folder / "x" / "moved.sock", {"--dir", (folder / "x").string()}));
}

TEST_F(TunnelctlSocketTest, ConfigTellsTheSocket) {
    const auto config = folder / "c" / "my.toml";
    write_config(config, "[admin]\nsocket = \"own.sock\"\n");
    EXPECT_TRUE(found_at(folder / "c" / "own.sock", {"--config", config.string()}));
}

TEST_F(TunnelctlSocketTest, AUsersServerIsFoundWithoutAnyOption) {
    EXPECT_TRUE(found_at(folder / ".local" / "state" / "tunnel" / "admin.sock", {}));
}

TEST_F(TunnelctlSocketTest, ABadConfigThatWasNamedIsWrongUsage) {
    const auto config = folder / "my.toml";
    auto outcome = run_words({"status", "--config", config.string()});
    EXPECT_EQ(outcome.code, 2);
    EXPECT_THAT(outcome.err, HasSubstr(config.string()));
    write_config(config, "[admin]\nsokcet = \"own.sock\"\n");
    outcome = run_words({"status", "--config", config.string()});
    EXPECT_EQ(outcome.code, 2);
    EXPECT_THAT(outcome.err, HasSubstr(config.string() + ":2:"));
}

TEST_F(TunnelctlSocketTest, ABadConfigThatWasNotNamedIsTheServersBusiness) {
    write_config(folder / "x" / "server.toml", "not toml");
    EXPECT_TRUE(found_at(folder / "x" / "admin.sock", {"--dir", (folder / "x").string()}));
}

TEST_F(TunnelctlSocketTest, WithoutAHomeItSaysWhatToGive) {
    environment.variable = [](std::string_view) { return std::nullopt; };
    const auto outcome = run_words({"status"});
    EXPECT_EQ(outcome.code, 2);
    EXPECT_THAT(outcome.err, HasSubstr("--dir DIR"));
}

}  // namespace
}  // namespace tunnel::ctl
