// What goes on right now: session list | close, connection list | close, status

#include <charconv>

#include "common/core/names.hpp"
#include "tunnel-server/tunnelctl/command_line.hpp"
#include "tunnel-server/tunnelctl/views.hpp"

namespace tunnel::ctl {

namespace {

using proto::AdminResponse;

Result<Action> list_sessions(const CommandLine&) {
    Action action;
    action.request.mutable_session_list();
    action.answer = AdminResponse::kSessions;
    action.show = [](const AdminResponse& answer, Output& output) {
        show_list(output, session_columns(), answer.sessions().sessions(),
                  "No client is connected: \"tunnel-client run\" on a client's host connects it.");
    };
    return action;
}

Result<Action> close_session(const CommandLine& line) {
    if (auto checked = check_name("client", line.name); !checked) return pass(std::move(checked.error()));
    Action action;
    action.request.mutable_session_close()->set_name(line.name);
    action.answer = AdminResponse::kDone;
    action.show = [name = line.name](const AdminResponse&, Output& output) {
        confirm(output, fmt::format("session of client {} closed", name),
                {{"client", name}, {"result", "closed"}});
    };
    return action;
}

Result<Action> list_connections(const CommandLine& line) {
    Action action;
    auto& request = *action.request.mutable_connection_list();
    std::string hint = "No visitor is connected.";
    if (!line.mapping.empty()) {
        auto mapping = parse_mapping_name(line.mapping, {});
        if (!mapping) return pass(std::move(mapping.error()));
        request.set_name(mapping->name);
        request.set_client(mapping->client);
        hint = fmt::format(
            "No visitor of mapping {} is connected: \"tunnelctl mapping show {}\" tells whether it "
            "listens.",
            to_string(*mapping), to_string(*mapping));
    }
    action.answer = AdminResponse::kConnections;
    action.show = [hint](const AdminResponse& answer, Output& output) {
        show_list(output, connection_columns(), answer.connections().connections(), hint);
    };
    return action;
}

Result<Action> close_connection(const CommandLine& line) {
    std::uint64_t id = 0;
    const char* end = line.id.data() + line.id.size();
    const auto [rest, ec] = std::from_chars(line.id.data(), end, id);
    if (ec != std::errc() || rest != end || id == 0)
        return fail(Errc::invalid,
                    "\"{}\" is not a connection's id: \"tunnelctl connection list\" shows the numbers",
                    line.id);
    Action action;
    action.request.mutable_connection_close()->set_id(id);
    action.answer = AdminResponse::kDone;
    action.show = [id](const AdminResponse&, Output& output) {
        confirm(output, fmt::format("connection {} closed", id), {{"connection", id}, {"result", "closed"}});
    };
    return action;
}

Result<Action> status(const CommandLine&) {
    Action action;
    action.request.mutable_status();
    action.answer = AdminResponse::kStatus;
    action.show = [](const AdminResponse& answer, Output& output) {
        show_one(output, status_columns(), answer.status());
    };
    return action;
}

}  // namespace

void add_session_verbs(CLI::App& app, CommandLine& line) {
    auto& noun = *add_noun(app, "session", "Which clients are connected");
    add_verb(noun, line, {"list", "List the sessions", "tunnelctl session list"}, list_sessions);
    add_verb(
        noun, line,
        {"close", "End a client's session; the client will connect again", "tunnelctl session close home"},
        close_session)
        ->add_option("NAME", line.name, "The client's name")
        ->required();
}

void add_connection_verbs(CLI::App& app, CommandLine& line) {
    auto& noun = *add_noun(app, "connection", "Which visitors are connected");
    add_verb(noun, line,
             {"list", "List the visitors' connections", "tunnelctl connection list --mapping ssh"},
             list_connections)
        ->add_option("--mapping", line.mapping, "Only those of this mapping: NAME or CLIENT/NAME")
        ->type_name("NAME");
    add_verb(noun, line, {"close", "Cut one visitor's connection", "tunnelctl connection close 17"},
             close_connection)
        ->add_option("ID", line.id, "Its number in \"connection list\"")
        ->required();
}

void add_status_verb(CLI::App& app, CommandLine& line) {
    add_verb(app, line, {"status", "Show how the server is", "tunnelctl status --json"}, status);
}

}  // namespace tunnel::ctl
