#include "tunnel-server/tunnelctl/socket_path.hpp"

#include "common/config/paths.hpp"
#include "tunnel-server/config/server_config.hpp"

namespace tunnel::ctl {

Environment process_environment() {
    auto process = config::path_options_of_process(std::nullopt, std::nullopt);
    return {std::move(process.environment), process.euid, [] { return std::chrono::system_clock::now(); }};
}

Result<std::string> find_socket(const SocketOptions& options, const Environment& environment) {
    if (options.socket) return *options.socket;
    auto paths = config::server_paths({options.dir, options.config, environment.euid, environment.variable});
    if (!paths) return pass(std::move(paths.error()));
    auto loaded = server::load_server_config(*paths);
    if (loaded) return loaded->admin.socket;
    if (options.config) return pass(config::to_error(loaded.error()));
    return paths->admin_socket;
}

}  // namespace tunnel::ctl
