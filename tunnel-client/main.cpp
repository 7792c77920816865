// tunnel-client: the inside end. The command line; everything else is in the library.

#include <fmt/format.h>
#include <termios.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <iostream>

#include "common/config/files.hpp"
#include "common/core/version.hpp"
#include "common/mapping/from_flags.hpp"
#include "common/net/process.hpp"
#include "tunnel-client/client.hpp"
#include "tunnel-client/expose.hpp"
#include "tunnel-client/join.hpp"

namespace {

using namespace tunnel;

enum Exit { exit_done = 0, exit_failed = 1, exit_usage = 2 };

struct Options {
    std::optional<std::string> dir;
    std::optional<std::string> config;
    std::string link;
    std::string name;
    MappingFlags mapping;
};

// Not fmt::print, which throws when nobody can read standard error any more.
void say(const std::string& line) {
    std::fputs((line + "\n").c_str(), stderr);
}

int fail_with(const std::string& message, Exit code) {
    say(fmt::format("tunnel-client: {}", message));
    return code;
}

Exit exit_code_of(const Error& error) {
    return error.code == Errc::invalid ? exit_usage : exit_failed;
}

Result<config::ClientPaths> paths_of(const Options& options) {
    return config::client_paths(config::path_options_of_process(options.dir, options.config));
}

int report(const std::vector<config::Problem>& problems) {
    for (const auto& problem : problems) say(config::to_string(problem));
    return exit_usage;
}

// A secret on the command line stands in every process list: put x in its place as soon as it is read.
void hide_links(int argc, char** argv) {
    for (int i = 1; i < argc; ++i) {
        if (char* found = std::strstr(argv[i], "tunnel://")) std::memset(found, 'x', std::strlen(found));
    }
}

// Turns the terminal's echo off as long as it lives, and back on when a signal ends the program meanwhile.
// Before the prompt, and without discarding input, so that a link pasted at once is neither shown nor lost.
// One at a time.
class SilentTerminal {
  public:
    SilentTerminal() {
        if (::tcgetattr(STDIN_FILENO, &before_) != 0) return;
        for (const int ending : endings) ::signal(ending, end);
        termios silent = before_;
        silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
        changed_ = ::tcsetattr(STDIN_FILENO, TCSANOW, &silent) == 0;
    }
    SilentTerminal(const SilentTerminal&) = delete;
    SilentTerminal& operator=(const SilentTerminal&) = delete;
    ~SilentTerminal() {
        if (changed_) ::tcsetattr(STDIN_FILENO, TCSANOW, &before_);
        for (const int ending : endings) ::signal(ending, SIG_DFL);
    }

  private:
    static constexpr int endings[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    // Only what signal-safety(7) allows.
    static void end(int ending) {
        ::tcsetattr(STDIN_FILENO, TCSANOW, &before_);
        ::signal(ending, SIG_DFL);
        ::raise(ending);
    }
    static inline termios before_{};
    bool changed_ = false;
};

// From the terminal without echo, or from standard input.
std::string read_link() {
    std::string link;
    if (::isatty(STDIN_FILENO) == 0) {
        std::getline(std::cin, link);
        return link;
    }
    const SilentTerminal silent;
    std::fputs("join link (from tunnelctl client add NAME): ", stderr);
    std::getline(std::cin, link);
    std::fputs("\n", stderr);
    return link;
}

Result<config::JoinLink> link_of(Options& options) {
    if (options.link.empty() || options.link == "-") options.link = read_link();
    auto link = config::parse_join_link(options.link);
    wipe(options.link);
    return link;
}

int join(Options& options) {
    auto paths = paths_of(options);
    if (!paths) return fail_with(paths.error().message, exit_usage);
    auto link = link_of(options);
    if (!link) return fail_with(link.error().message, exit_usage);
    net::prepare_process();
    net::unblock_signals();
    auto said = client::join(*paths, *link);
    if (!said) return fail_with(said.error().message, exit_code_of(said.error()));
    fmt::print("{}\nnext: tunnel-client expose PORT, or add [[mapping]] to that file and tunnel-client run\n",
               *said);
    return exit_done;
}

int check(const Options& options) {
    auto paths = paths_of(options);
    if (!paths) return fail_with(paths.error().message, exit_usage);
    auto config = client::load_client_config(*paths);
    if (!config) return report(config.error());
    // The proxies that the environment names and the CA file are part of what run would need.
    const auto access = client::make_access(*config, *config->link);
    if (!access) return fail_with(access.error().message, exit_usage);
    for (const auto& warning : config->warnings) say(fmt::format("warning: {}", warning));
    fmt::print("{}: ok\nways to the server, tried in turn:\n", paths->config);
    for (const auto& way : (*access)->ways)
        fmt::print("  {} {}\n", to_string(way->server), client::to_string(*way));
    return exit_done;
}

int serve(client::Client& running) {
    const net::SignalThread signals(
        {.stop = [&] { running.request_stop(); }, .reload = [&] { running.request_reload(); }});
    if (auto ok = running.run(); !ok) return fail_with(ok.error().message, exit_failed);
    return exit_done;
}

int run(const Options& options) {
    auto paths = paths_of(options);
    if (!paths) return fail_with(paths.error().message, exit_usage);
    auto config = client::load_client_config(*paths);
    if (!config) return report(config.error());
    net::prepare_process();
    const auto log = Log::to_stderr(config->log.level, config->log.format);
    auto source = [paths = *paths]() -> Result<client::ClientConfig> {
        auto next = client::load_client_config(paths);
        if (!next) return pass(config::to_error(next.error()));
        return std::move(*next);
    };
    auto made = client::Client::make(std::move(*config), "", client::Stay::resident, log, std::move(source));
    if (!made) return fail_with(made.error().message, exit_code_of(made.error()));
    return serve(**made);
}

int expose(Options& options) {
    auto paths = paths_of(options);
    if (!paths) return fail_with(paths.error().message, exit_usage);
    const auto mapping = options.mapping.read(options.name);
    if (!mapping) return fail_with(mapping.error().message, exit_usage);
    const bool own_link = !options.link.empty();
    auto config =
        client::load_client_config(*paths, own_link ? client::Link::optional : client::Link::required);
    if (!config) return report(config.error());
    if (own_link) {
        auto link = link_of(options);
        if (!link) return fail_with(link.error().message, exit_usage);
        config->link = std::move(*link);
    }
    net::prepare_process();
    const auto log = Log::to_stderr(config->log.level, config->log.format);
    auto made = client::make_expose(std::move(*config), *mapping, log);
    if (!made) return fail_with(made.error().message, exit_code_of(made.error()));
    return serve(**made);
}

void add_place(CLI::App& verb, Options& options) {
    auto* dir = verb.add_option("--dir", options.dir, "Keep client.toml in this folder");
    verb.add_option("--config", options.config, "Use this config file")->excludes(dir);
}

}  // namespace

int main(int argc, char** argv) {
    Options options;
    CLI::App app{"The inside end of an intranet tunnel: makes services here reachable at the server.",
                 "tunnel-client"};
    app.set_version_flag("--version", std::string(version));
    app.require_subcommand(1);
    auto* join_verb = app.add_subcommand("join", "Try a join link and save it");
    add_place(*join_verb, options);
    join_verb->add_option("link", options.link,
                          "The join link; without it, it is asked for or read from standard input");
    auto* expose_verb = app.add_subcommand("expose", "Make one service reachable until Ctrl-C");
    add_place(*expose_verb, options);
    expose_verb->add_option("--name", options.name, "The mapping's name (default tcp-PORT)");
    options.mapping.add_to(*expose_verb, "service", "--port");
    expose_verb->add_option("--link", options.link,
                            "Use this join link instead of the saved one; - reads it from standard input");
    auto* run_verb =
        app.add_subcommand("run",
                           "Serve what client.toml declares and what the server's admin added. SIGTERM "
                           "drains, a second one quits; SIGHUP reloads");
    add_place(*run_verb, options);
    auto* check_verb = app.add_subcommand("check", "Read the config and tell every error in it");
    add_place(*check_verb, options);
    auto* version_verb = app.add_subcommand("version", "Print the version");
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? exit_done : exit_usage;
    }
    hide_links(argc, argv);
    if (*version_verb) {
        fmt::print("tunnel-client {}\n", version);
        return exit_done;
    }
    if (*join_verb) return join(options);
    if (*expose_verb) return expose(options);
    if (*check_verb) return check(options);
    return run(options);
}
