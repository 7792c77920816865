#pragma once
// Where the server's admin socket is: the only part of tunnelctl that knows the server's config.

#include <optional>
#include <string>

#include "common/core/result.hpp"
#include "tunnel-server/tunnelctl/run.hpp"

namespace tunnel::ctl {

// What the command line said. `socket` goes before the other two, which exclude each other.
struct SocketOptions {
    std::optional<std::string> socket;  // --socket: this path
    std::optional<std::string> dir;     // --dir: the server that keeps everything there
    std::optional<std::string> config;  // --config: the server that was started with this file
};

// With `config` the file must be good (Errc::invalid with all its problems otherwise). Without, a server.toml
// at the usual place is asked too, because it may move the socket; one that is missing, unreadable or bad
// says nothing, and the usual path holds.
Result<std::string> find_socket(const SocketOptions& options, const Environment& environment);

}  // namespace tunnel::ctl
