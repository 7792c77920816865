#pragma once
// Where the programs keep their files.
//
//            as root                              as a user
//   config   /etc/tunnel                          $XDG_CONFIG_HOME/tunnel (~/.config/tunnel)
//   state    /var/lib/tunnel                      $XDG_STATE_HOME/tunnel (~/.local/state/tunnel)
//   runtime  /run/tunnel                          $XDG_RUNTIME_DIR/tunnel (the state folder)
//
// `dir` puts everything into one folder; `config` names the config file and leaves the other places as they
// are. XDG Base Directory Specification 0.8: a relative value of an XDG variable is ignored.

#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "common/core/result.hpp"

namespace tunnel::config {

using Environment = std::function<std::optional<std::string>(std::string_view name)>;

struct PathOptions {
    std::optional<std::string> dir;     // --dir
    std::optional<std::string> config;  // --config; excludes dir
    uid_t euid = 0;
    Environment environment;  // may be empty: no variable is set
};

// The command line's words with this process's user and environment.
PathOptions path_options_of_process(std::optional<std::string> dir, std::optional<std::string> config);

struct ServerPaths {
    std::string config;  // server.toml
    std::string certificate;
    std::string key;
    std::string store;
    std::string admin_socket;
};

struct ClientPaths {
    std::string config;  // client.toml
};

// Pure: touch no file. Errc::invalid when both dir and config are given, when one is empty, or when a user
// has neither the XDG variables nor HOME.
Result<ServerPaths> server_paths(const PathOptions& options);
Result<ClientPaths> client_paths(const PathOptions& options);

// "/etc/tunnel/server.toml" -> "/etc/tunnel", "server.toml" -> ".", "/x" -> "/".
std::string folder_of(std::string_view path);
// `path` as written in the config file `config_file`: absolute as it is, relative to that file's folder.
std::string path_from_config(const std::string& config_file, std::string_view path);

}  // namespace tunnel::config
