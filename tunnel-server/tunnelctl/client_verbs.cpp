// client list | add | remove | rotate

#include "common/core/names.hpp"
#include "tunnel-server/tunnelctl/command_line.hpp"
#include "tunnel-server/tunnelctl/views.hpp"

namespace tunnel::ctl {

namespace {

using proto::AdminResponse;

Result<Action> list(const CommandLine&) {
    Action action;
    action.request.mutable_client_list();
    action.answer = AdminResponse::kClients;
    action.show = [](const AdminResponse& answer, Output& output) {
        show_list(output, client_columns(), answer.clients().clients(),
                  "There is no client yet: \"tunnelctl client add NAME\" makes one.");
    };
    return action;
}

// The link alone goes to standard output, so that a script can catch it; people read `prose` beside it.
std::function<void(const AdminResponse&, Output&)> show_link(std::string prose) {
    return [prose = std::move(prose)](const AdminResponse& answer, Output& output) {
        const auto& link = answer.client_link();
        if (output.form == Form::json) {
            output.result = to_text(Json{{"name", link.name()}, {"link", link.link()}});
            return;
        }
        output.result = printable(link.link()) + '\n';
        output.notes = prose + '\n';
    };
}

Result<Action> add(const CommandLine& line) {
    if (auto checked = check_name("client", line.name); !checked) return pass(std::move(checked.error()));
    Action action;
    auto& request = *action.request.mutable_client_add();
    request.set_name(line.name);
    if (!line.expires.empty()) {
        const auto expires = parse_expiry(line.expires, line.now);
        if (!expires) return fail(Errc::invalid, "--expires: {}", expires.error().message);
        if (*expires <= line.now)
            return fail(Errc::invalid, "--expires: \"{}\" is in the past: write a time to come",
                        line.expires);
        request.set_expires_at(std::chrono::ceil<Seconds>(expires->time_since_epoch()).count());
    }
    action.answer = AdminResponse::kClientLink;
    action.show =
        show_link(fmt::format("Client {} added. The line above is its join link: give it to \"tunnel-client "
                              "join\" on the host that "
                              "holds the services.\nIt is a secret and is not shown again; \"tunnelctl "
                              "client rotate {}\" makes a new "
                              "one.",
                              line.name, line.name));
    return action;
}

Result<Action> rotate(const CommandLine& line) {
    if (auto checked = check_name("client", line.name); !checked) return pass(std::move(checked.error()));
    Action action;
    action.request.mutable_client_rotate()->set_name(line.name);
    action.answer = AdminResponse::kClientLink;
    action.show = show_link(fmt::format(
        "Client {} has a new join link, the line above; the one before no longer works. Give it to "
        "\"tunnel-client join\" on the client's host.\nIt is a secret and is not shown again.",
        line.name));
    return action;
}

Result<Action> remove(const CommandLine& line) {
    if (auto checked = check_name("client", line.name); !checked) return pass(std::move(checked.error()));
    Action action;
    action.request.mutable_client_remove()->set_name(line.name);
    action.answer = AdminResponse::kDone;
    action.show = [name = line.name](const AdminResponse&, Output& output) {
        confirm(output, fmt::format("client {} removed", name), {{"client", name}, {"result", "removed"}});
    };
    return action;
}

}  // namespace

void add_client_verbs(CLI::App& app, CommandLine& line) {
    auto& noun = *add_noun(app, "client", "Who may connect to this server");
    const auto name = [&line](CLI::App* verb) {
        verb->add_option("NAME", line.name, "The client's name")->required();
        return verb;
    };
    add_verb(noun, line, {"list", "List the clients", "tunnelctl client list"}, list);
    name(add_verb(noun, line,
                  {"add", "Make a client and print its join link", "tunnelctl client add home --expires 30d"},
                  add))
        ->add_option(
            "--expires", line.expires,
            "When its access ends: 2027-01-31, 2027-01-31T12:00:00Z, or 30d from now (default: never)")
        ->type_name("WHEN");
    name(add_verb(
        noun, line,
        {"remove", "Remove a client with its mappings and end its session", "tunnelctl client remove home"},
        remove));
    name(add_verb(
        noun, line,
        {"rotate", "Replace a client's secret and print its new join link", "tunnelctl client rotate home"},
        rotate));
}

}  // namespace tunnel::ctl
