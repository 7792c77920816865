#include "tunnel-server/tunnelctl/command_line.hpp"

#include <ostream>

#include "common/core/names.hpp"
#include "tunnel-server/tunnelctl/text.hpp"

namespace tunnel::ctl {

namespace {

constexpr int wrong_usage = 2;

void add_global_options(CLI::App& app, CommandLine& line) {
    app.add_flag("--json", line.json, "Print JSON instead of text");
    auto* socket = app.add_option("--socket", line.socket.socket,
                                  "The server's admin socket; goes before --dir and --config");
    auto* dir = app.add_option("--dir", line.socket.dir, "The folder in which the server keeps everything");
    auto* config = app.add_option("--config", line.socket.config, "The server's config file");
    socket->type_name("PATH");
    dir->type_name("DIR")->excludes(config);
    config->type_name("FILE");
}

// The command as far as it was understood, from the program to the last word that was known.
std::vector<const CLI::App*> understood(const CLI::App& app) {
    std::vector<const CLI::App*> parts{&app};
    while (!parts.back()->get_subcommands().empty()) parts.push_back(parts.back()->get_subcommands().front());
    return parts;
}

// "tunnelctl client"
std::string command_of(const std::vector<const CLI::App*>& parts) {
    std::vector<std::string> names;
    for (const auto* part : parts) names.push_back(part->get_name());
    return fmt::format("{}", fmt::join(names, " "));
}

// CLI11 says "A subcommand is required" both when nothing follows and when something unknown does.
std::string missing_verb(const CLI::App& app, const std::vector<const CLI::App*>& parts) {
    std::vector<std::string> names;
    for (const auto* verb : parts.back()->get_subcommands(nullptr)) names.push_back(verb->get_name());
    const auto unknown = app.remaining(true);
    const auto what = unknown.empty() ? fmt::format("\"{}\" is not a whole command", command_of(parts))
                                      : fmt::format("\"{}\" is not a command", unknown.front());
    return fmt::format("{}: after \"{}\" write one of {}", what, command_of(parts), fmt::join(names, ", "));
}

}  // namespace

CLI::App* add_noun(CLI::App& app, const std::string& name, const std::string& summary) {
    auto* noun = app.add_subcommand(name, summary);
    // One verb and no more: from there on a name may well be spelled like a verb or a noun.
    noun->require_subcommand(1);
    noun->footer(fmt::format("\"tunnelctl {} VERB --help\" shows a verb's words and an example.", name));
    return noun;
}

CLI::App* add_verb(CLI::App& noun, CommandLine& line, const VerbText& text, MakeAction make) {
    auto* verb = noun.add_subcommand(text.name, text.summary);
    verb->footer(
        fmt::format("--json, --socket, --dir and --config (see \"tunnelctl --help\") may stand anywhere.\n\n"
                    "Example:\n  {}",
                    text.example));
    verb->callback([&line, make = std::move(make)] { line.action = make(line); });
    return verb;
}

std::optional<int> parse_command_line(int argc, const char* const* argv, CommandLine& line, std::ostream& out,
                                      std::ostream& err) {
    CLI::App app("Controls the tunnel-server that runs on this host.", "tunnelctl");
    app.require_subcommand(1);
    app.fallthrough();  // options of the program may stand behind a verb; inherited by what is added below
    app.footer("Exit codes: 0 done, 1 failed, 2 wrong usage.\nExample:\n  tunnelctl client add home");
    add_global_options(app, line);
    add_client_verbs(app, line);
    add_mapping_verbs(app, line);
    add_session_verbs(app, line);
    add_connection_verbs(app, line);
    add_status_verb(app, line);
    std::string problem;
    try {
        app.parse(argc, argv);
        if (*line.action) return std::nullopt;
        problem = line.action->error().message;
    } catch (const CLI::ParseError& error) {
        if (error.get_exit_code() == 0) return app.exit(error, out, err);  // --help
        const auto parts = understood(app);
        const bool verb_is_missing =
            error.get_name() == "RequiredError" && !parts.back()->get_subcommands(nullptr).empty();
        problem = verb_is_missing ? missing_verb(app, parts) : error.what();
    }
    err << "tunnelctl: " << printable(problem) << "\nSee \"" << command_of(understood(app)) << " --help\".\n";
    return wrong_usage;
}

Result<MappingName> parse_mapping_name(std::string_view text, std::string_view client_option) {
    MappingName mapping{std::string(client_option), std::string(text)};
    if (const auto slash = text.find('/'); slash != std::string_view::npos) {
        mapping.client = text.substr(0, slash);
        mapping.name = text.substr(slash + 1);
        if (!client_option.empty() && client_option != mapping.client)
            return fail(Errc::invalid, "\"{}\" and --client {} name two clients: leave one out", text,
                        client_option);
        if (auto checked = check_name("client", mapping.client); !checked)
            return pass(std::move(checked.error()));
    } else if (!client_option.empty()) {
        if (auto checked = check_name("client", client_option); !checked)
            return pass(std::move(checked.error()));
    }
    if (auto checked = check_name("mapping", mapping.name); !checked) return pass(std::move(checked.error()));
    return mapping;
}

std::string to_string(const MappingName& mapping) {
    return mapping.client.empty() ? mapping.name : mapping.client + '/' + mapping.name;
}

std::string to_text(const Json& json) {
    constexpr int indent = 2;
    constexpr bool ascii = true;
    // Bytes that are not UTF-8 are replaced: dump() would throw on them.
    return json.dump(indent, ' ', ascii, Json::error_handler_t::replace) + '\n';
}

void confirm(Output& output, std::string_view sentence, const Json& object) {
    output.result = output.form == Form::json ? to_text(object) : printable(sentence) + '\n';
}

}  // namespace tunnel::ctl
