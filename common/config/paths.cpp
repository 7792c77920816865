#include "common/config/paths.hpp"

#include <unistd.h>

#include <cstdlib>

namespace tunnel::config {

namespace {

struct Folders {
    std::string config;
    std::string state;
    std::string runtime;
};

std::string join(std::string_view folder, std::string_view name) {
    const bool slash = !folder.empty() && folder.back() == '/';
    return fmt::format("{}{}{}", folder, slash ? "" : "/", name);
}

std::optional<std::string> absolute_variable(const PathOptions& options, std::string_view name) {
    if (!options.environment) return std::nullopt;
    auto value = options.environment(name);
    if (!value || value->empty() || value->front() != '/') return std::nullopt;
    return value;
}

Result<std::string> user_folder(const PathOptions& options, std::string_view variable,
                                std::string_view below_home) {
    if (const auto base = absolute_variable(options, variable)) return join(*base, "tunnel");
    if (const auto home = absolute_variable(options, "HOME")) return join(join(*home, below_home), "tunnel");
    return fail(
        Errc::invalid,
        "cannot tell where the files are: neither {} nor HOME is an absolute path; set one of them or "
        "give --dir DIR",
        variable);
}

Result<Folders> default_folders(const PathOptions& options) {
    if (options.euid == 0) return Folders{"/etc/tunnel", "/var/lib/tunnel", "/run/tunnel"};
    auto config = user_folder(options, "XDG_CONFIG_HOME", ".config");
    if (!config) return pass(std::move(config.error()));
    auto state = user_folder(options, "XDG_STATE_HOME", ".local/state");
    if (!state) return pass(std::move(state.error()));
    const auto runtime = absolute_variable(options, "XDG_RUNTIME_DIR");
    return Folders{*config, *state, runtime ? join(*runtime, "tunnel") : *state};
}

Status check_options(const PathOptions& options) {
    if (options.dir && options.config)
        return fail(Errc::invalid, "--dir and --config exclude each other: give one of them");
    if (options.dir && options.dir->empty()) return fail(Errc::invalid, "--dir is empty: name a folder");
    if (options.config && options.config->empty())
        return fail(Errc::invalid, "--config is empty: name a file");
    return {};
}

}  // namespace

PathOptions path_options_of_process(std::optional<std::string> dir, std::optional<std::string> config) {
    const auto environment = [](std::string_view name) -> std::optional<std::string> {
        const char* value = std::getenv(std::string(name).c_str());
        if (value == nullptr) return std::nullopt;
        return value;
    };
    return {std::move(dir), std::move(config), ::geteuid(), environment};
}

Result<ServerPaths> server_paths(const PathOptions& options) {
    if (auto checked = check_options(options); !checked) return pass(std::move(checked.error()));
    Folders folders;
    if (options.dir) {
        folders = {*options.dir, *options.dir, *options.dir};
    } else {
        auto found = default_folders(options);
        if (!found) return pass(std::move(found.error()));
        folders = std::move(*found);
    }
    return ServerPaths{options.config.value_or(join(folders.config, "server.toml")),
                       join(folders.config, "server.crt"), join(folders.config, "server.key"),
                       join(folders.state, "server.db"), join(folders.runtime, "admin.sock")};
}

Result<ClientPaths> client_paths(const PathOptions& options) {
    if (auto checked = check_options(options); !checked) return pass(std::move(checked.error()));
    if (options.config) return ClientPaths{*options.config};
    if (options.dir) return ClientPaths{join(*options.dir, "client.toml")};
    if (options.euid == 0) return ClientPaths{"/etc/tunnel/client.toml"};
    auto folder = user_folder(options, "XDG_CONFIG_HOME", ".config");
    if (!folder) return pass(std::move(folder.error()));
    return ClientPaths{join(*folder, "client.toml")};
}

std::string folder_of(std::string_view path) {
    const auto slash = path.rfind('/');
    if (slash == std::string_view::npos) return ".";
    if (slash == 0) return "/";
    return std::string(path.substr(0, slash));
}

std::string path_from_config(const std::string& config_file, std::string_view path) {
    if (!path.empty() && path.front() == '/') return std::string(path);
    const auto folder = folder_of(config_file);
    return folder == "." ? std::string(path) : join(folder, path);
}

}  // namespace tunnel::config
