// tunnel-server: the public end. The command line; everything else is in the library.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>

#include "common/config/files.hpp"
#include "common/core/log.hpp"
#include "common/core/version.hpp"
#include "common/net/process.hpp"
#include "tunnel-server/config/server_config.hpp"
#include "tunnel-server/init.hpp"
#include "tunnel-server/server.hpp"

namespace {

using namespace tunnel;

enum Exit { exit_done = 0, exit_failed = 1, exit_usage = 2 };

struct Options {
    std::optional<std::string> dir;
    std::optional<std::string> config;
    std::string public_host;
    std::vector<std::string> listen;
};

// Not fmt::print, which throws when nobody can read standard error any more.
void say(const std::string& line) {
    std::fputs((line + "\n").c_str(), stderr);
}

int fail_with(const std::string& message, Exit code) {
    say(fmt::format("tunnel-server: {}", message));
    return code;
}

Result<config::ServerPaths> paths_of(const Options& options) {
    return config::server_paths(config::path_options_of_process(options.dir, options.config));
}

int init(const Options& options) {
    auto paths = paths_of(options);
    if (!paths) return fail_with(paths.error().message, exit_usage);
    server::ServerTemplate values;
    if (!options.public_host.empty()) {
        auto host = server::parse_public_host(options.public_host);
        if (!host) return fail_with(host.error().message, exit_usage);
        values.public_host = std::move(*host);
    }
    if (!options.listen.empty()) values.listen.clear();
    for (const auto& text : options.listen) {
        auto address = server::parse_listen(text);
        if (!address) return fail_with(address.error().message, exit_usage);
        values.listen.push_back(std::move(*address));
    }
    if (auto ok = server::initialize(*paths, values); !ok)
        return fail_with(ok.error().message, ok.error().code == Errc::invalid ? exit_usage : exit_failed);
    fmt::print("wrote {}\nwrote {}\nwrote {}\nwrote {}\n", paths->config, paths->key, paths->certificate,
               paths->store);
    fmt::print("next: tunnel-server run, then tunnelctl client add NAME\n");
    if (values.public_host.empty())
        fmt::print(
            "join links will name this machine's host name: set public_host in {} if clients reach it by "
            "another\n",
            paths->config);
    return exit_done;
}

int check(const Options& options) {
    auto paths = paths_of(options);
    if (!paths) return fail_with(paths.error().message, exit_usage);
    auto config = server::load_server_config(*paths);
    if (!config) {
        for (const auto& problem : config.error()) say(config::to_string(problem));
        return exit_usage;
    }
    if (auto identity = server::load_identity(config->tls); !identity)
        return fail_with(identity.error().message, exit_usage);
    fmt::print("{}: ok\n", paths->config);
    return exit_done;
}

int run(const Options& options) {
    auto paths = paths_of(options);
    if (!paths) return fail_with(paths.error().message, exit_usage);
    auto config = server::load_server_config(*paths);
    if (!config) {
        for (const auto& problem : config.error()) say(config::to_string(problem));
        return exit_usage;
    }
    net::prepare_process();
    const auto log = Log::to_stderr(config->log.level, config->log.format);
    for (const auto* path : {&config->store.path, &config->admin.socket}) {
        if (auto ok = config::make_private_folder(config::folder_of(*path)); !ok)
            return fail_with(ok.error().message, exit_failed);
    }
    auto server =
        server::Server::make(std::move(*config), log, [paths = *paths]() -> Result<server::ServerConfig> {
            auto next = server::load_server_config(paths);
            if (!next) return pass(config::to_error(next.error()));
            return std::move(*next);
        });
    if (!server)
        return fail_with(server.error().message,
                         server.error().code == Errc::invalid ? exit_usage : exit_failed);
    const net::SignalThread signals(
        {.stop = [&] { (*server)->request_stop(); }, .reload = [&] { (*server)->request_reload(); }});
    (*server)->run();
    return exit_done;
}

void add_place(CLI::App& verb, Options& options) {
    auto* dir =
        verb.add_option("--dir", options.dir, "Keep config, key, store and admin socket in this folder");
    verb.add_option("--config", options.config, "Use this config file")->excludes(dir);
}

}  // namespace

int main(int argc, char** argv) {
    Options options;
    CLI::App app{"The public end of an intranet tunnel: visitors connect here, clients dial in.",
                 "tunnel-server"};
    app.set_version_flag("--version", std::string(version));
    app.require_subcommand(1);
    auto* init_verb =
        app.add_subcommand("init", "Make config, key, certificate and store; overwrites nothing");
    add_place(*init_verb, options);
    init_verb->add_option("--public-host", options.public_host,
                          "Name or address under which clients and visitors reach this host");
    init_verb->add_option("--listen", options.listen,
                          "ADDRESS:PORT of the tunnel port (default [::]:7000); may be repeated");
    auto* run_verb = app.add_subcommand(
        "run", "Serve in the foreground. SIGTERM drains, a second one quits; SIGHUP reloads");
    add_place(*run_verb, options);
    auto* check_verb = app.add_subcommand("check", "Read the config and tell every error in it");
    add_place(*check_verb, options);
    auto* version_verb = app.add_subcommand("version", "Print the version");
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? exit_done : exit_usage;
    }
    if (*version_verb) {
        fmt::print("tunnel-server {}\n", version);
        return exit_done;
    }
    if (*init_verb) return init(options);
    if (*check_verb) return check(options);
    return run(options);
}
