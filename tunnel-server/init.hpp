#pragma once
// `tunnel-server init`: makes what a server needs to run.

#include <string>

#include "common/config/paths.hpp"
#include "common/core/result.hpp"
#include "tunnel-server/config/server_config.hpp"

namespace tunnel::server {

// Writes config, key, certificate and an empty store, each with the least mode that works. Refuses when one
// of them is there already (Errc::exists) and then changes nothing.
Status initialize(const config::ServerPaths& paths, const ServerTemplate& values);

}  // namespace tunnel::server
