#pragma once
// `tunnel-client join`: from a pasted link to a saved config.

#include <string>

#include "common/config/join_link.hpp"
#include "common/config/paths.hpp"
#include "common/core/result.hpp"

namespace tunnel::client {

// Logs in with the link, and only when that works saves it: into a new config, or in place of the old link in
// one that is there, whose other lines stay. The file has mode 0600. Returns a sentence for the user.
Result<std::string> join(const config::ClientPaths& paths, const config::JoinLink& link);

}  // namespace tunnel::client
