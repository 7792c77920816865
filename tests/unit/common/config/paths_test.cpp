#include "common/config/paths.hpp"

#include <gmock/gmock.h>

#include <map>

namespace tunnel::config {
namespace {

using ::testing::HasSubstr;

PathOptions user(std::map<std::string, std::string> variables, std::optional<std::string> dir = {},
                 std::optional<std::string> config = {}) {
    return {std::move(dir), std::move(config), 1000,
            [variables = std::move(variables)](std::string_view name) -> std::optional<std::string> {
                const auto found = variables.find(std::string(name));
                if (found == variables.end()) return std::nullopt;
                return found->second;
            }};
}

PathOptions root(std::optional<std::string> dir = {}, std::optional<std::string> config = {}) {
    return {std::move(dir), std::move(config), 0, {}};
}

void expect_server(const PathOptions& options, const ServerPaths& wanted) {
    const auto paths = server_paths(options);
    ASSERT_TRUE(paths) << paths.error().message;
    EXPECT_EQ(paths->config, wanted.config);
    EXPECT_EQ(paths->certificate, wanted.certificate);
    EXPECT_EQ(paths->key, wanted.key);
    EXPECT_EQ(paths->store, wanted.store);
    EXPECT_EQ(paths->admin_socket, wanted.admin_socket);
}

TEST(Paths, OfRootAreTheSystemsWhateverTheEnvironment) {
    auto options = user({{"HOME", "/root"}, {"XDG_CONFIG_HOME", "/x"}});
    options.euid = 0;
    for (const auto& as_root : {options, root()}) {
        expect_server(as_root, {"/etc/tunnel/server.toml", "/etc/tunnel/server.crt", "/etc/tunnel/server.key",
                                "/var/lib/tunnel/server.db", "/run/tunnel/admin.sock"});
        EXPECT_EQ(client_paths(as_root)->config, "/etc/tunnel/client.toml");
    }
}

TEST(Paths, OfAUserFollowHome) {
    const auto options = user({{"HOME", "/home/ann"}});
    expect_server(options, {"/home/ann/.config/tunnel/server.toml", "/home/ann/.config/tunnel/server.crt",
                            "/home/ann/.config/tunnel/server.key", "/home/ann/.local/state/tunnel/server.db",
                            "/home/ann/.local/state/tunnel/admin.sock"});
    EXPECT_EQ(client_paths(options)->config, "/home/ann/.config/tunnel/client.toml");
}

TEST(Paths, OfAUserFollowTheXdgVariables) {
    const auto options =
        user({{"XDG_CONFIG_HOME", "/c"}, {"XDG_STATE_HOME", "/s/"}, {"XDG_RUNTIME_DIR", "/run/user/1000"}});
    expect_server(options, {"/c/tunnel/server.toml", "/c/tunnel/server.crt", "/c/tunnel/server.key",
                            "/s/tunnel/server.db", "/run/user/1000/tunnel/admin.sock"});
    EXPECT_EQ(client_paths(options)->config, "/c/tunnel/client.toml");
}

TEST(Paths, IgnoreEmptyAndRelativeVariables) {
    const auto options = user({{"HOME", "/home/ann"}, {"XDG_CONFIG_HOME", "etc"}, {"XDG_STATE_HOME", ""}});
    expect_server(options, {"/home/ann/.config/tunnel/server.toml", "/home/ann/.config/tunnel/server.crt",
                            "/home/ann/.config/tunnel/server.key", "/home/ann/.local/state/tunnel/server.db",
                            "/home/ann/.local/state/tunnel/admin.sock"});
}

TEST(Paths, DirHoldsEverything) {
    for (const auto& options : {root("/srv/t"), user({}, "/srv/t"), user({}, "/srv/t/")}) {
        expect_server(options, {"/srv/t/server.toml", "/srv/t/server.crt", "/srv/t/server.key",
                                "/srv/t/server.db", "/srv/t/admin.sock"});
        EXPECT_EQ(client_paths(options)->config, "/srv/t/client.toml");
    }
    EXPECT_EQ(client_paths(user({}, "."))->config, "./client.toml");
}

TEST(Paths, ConfigLeavesTheOtherPlacesAlone) {
    expect_server(root({}, "/tmp/my.toml"),
                  {"/tmp/my.toml", "/etc/tunnel/server.crt", "/etc/tunnel/server.key",
                   "/var/lib/tunnel/server.db", "/run/tunnel/admin.sock"});
    EXPECT_EQ(client_paths(user({}, {}, "my.toml"))->config, "my.toml") << "needs no HOME";
}

TEST(Paths, WordsThatMakeNoSenseAreRefused) {
    EXPECT_THAT(server_paths(root("/a", "/b")).error().message, HasSubstr("exclude each other"));
    EXPECT_THAT(client_paths(root("/a", "/b")).error().message, HasSubstr("exclude each other"));
    EXPECT_THAT(server_paths(root("")).error().message, HasSubstr("--dir is empty"));
    EXPECT_THAT(client_paths(root({}, "")).error().message, HasSubstr("--config is empty"));
}

TEST(Paths, AUserWithoutHomeIsToldWhatToDo) {
    for (const auto& variables :
         {std::map<std::string, std::string>{}, std::map<std::string, std::string>{{"HOME", ""}}}) {
        const auto server = server_paths(user(variables));
        ASSERT_FALSE(server);
        EXPECT_EQ(server.error().code, Errc::invalid);
        EXPECT_THAT(server.error().message, HasSubstr("give --dir DIR"));
        EXPECT_FALSE(client_paths(user(variables)));
    }
}

TEST(Paths, RelativeOnesStandBesideTheConfig) {
    EXPECT_EQ(path_from_config("/etc/tunnel/server.toml", "server.crt"), "/etc/tunnel/server.crt");
    EXPECT_EQ(path_from_config("/etc/tunnel/server.toml", "keys/server.crt"), "/etc/tunnel/keys/server.crt");
    EXPECT_EQ(path_from_config("/etc/tunnel/server.toml", "/srv/x"), "/srv/x");
    EXPECT_EQ(path_from_config("/server.toml", "x"), "/x");
    EXPECT_EQ(path_from_config("server.toml", "x"), "x");
    EXPECT_EQ(path_from_config("d/server.toml", "x"), "d/x");
    EXPECT_EQ(folder_of("/etc/tunnel/server.toml"), "/etc/tunnel");
    EXPECT_EQ(folder_of("/x"), "/");
    EXPECT_EQ(folder_of("x"), ".");
}

}  // namespace
}  // namespace tunnel::config
