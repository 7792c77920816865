// client list | add | remove | rotate

#include <algorithm>

#include "common/core/names.hpp"
#include "tunnel-server/access/client_settings.hpp"
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

// Unix seconds.
Result<std::int64_t> expiry_of(const CommandLine& line) {
    const auto expires = parse_expiry(line.expires, line.now);
    if (!expires) return fail(Errc::invalid, "--expires: {}", expires.error().message);
    if (*expires <= line.now)
        return fail(Errc::invalid, "--expires: \"{}\" is in the past: write a time to come", line.expires);
    return std::chrono::ceil<Seconds>(expires->time_since_epoch()).count();
}

Result<Action> add(const CommandLine& line) {
    if (auto checked = check_name("client", line.name); !checked) return pass(std::move(checked.error()));
    Action action;
    auto& request = *action.request.mutable_client_add();
    request.set_name(line.name);
    if (!line.expires.empty()) {
        const auto expires = expiry_of(line);
        if (!expires) return pass(expires.error());
        request.set_expires_at(*expires);
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

void show_client(const AdminResponse& answer, Output& output) {
    show_one(output, client_columns(), answer.client());
}

Result<Action> show(const CommandLine& line) {
    if (auto checked = check_name("client", line.name); !checked) return pass(std::move(checked.error()));
    Action action;
    action.request.mutable_client_show()->set_name(line.name);
    action.answer = AdminResponse::kClient;
    action.show = show_client;
    return action;
}

std::string flag_of(std::string_view setting) {
    std::string flag = fmt::format("--{}", setting);
    std::replace(flag.begin(), flag.end(), '_', '-');
    return flag;
}

// "none" takes a setting back.
void put_setting(proto::ClientSet& request, const std::string& name, const std::vector<std::string>& values) {
    auto& setting = *request.add_settings();
    setting.set_name(name);
    if (values.size() == 1 && values.front() == "none") return;
    for (const auto& value : values) setting.add_values(value);
}

Result<Action> set(const CommandLine& line) {
    if (auto checked = check_name("client", line.name); !checked) return pass(std::move(checked.error()));
    Action action;
    auto& request = *action.request.mutable_client_set();
    request.set_name(line.name);
    for (const auto& [name, values] : line.settings) {
        if (values.empty()) continue;
        put_setting(request, name, values);
        server::ClientSettings tried;
        const auto& given = *request.settings().rbegin();
        const server::SettingText text{name, {given.values().begin(), given.values().end()}};
        if (auto ok = server::change_settings(tried, {text}); !ok)
            return fail(Errc::invalid, "{}{}", flag_of(name), ok.error().message.substr(name.size()));
    }
    if (line.enable && line.disable)
        return fail(Errc::invalid, "--enable and --disable exclude each other: write one of them");
    if (line.enable || line.disable) put_setting(request, "disabled", {line.disable ? "true" : "false"});
    if (!line.expires.empty()) {
        request.set_set_expiry(true);
        const auto expires = line.expires == "never" ? Result<std::int64_t>(0) : expiry_of(line);
        if (!expires) return pass(expires.error());
        request.set_expires_at(*expires);
    }
    if (request.settings().empty() && !request.set_expiry())
        return fail(Errc::invalid, "nothing to set: \"tunnelctl client set --help\" names what there is");
    action.answer = AdminResponse::kClient;
    action.show = show_client;
    return action;
}

void add_setting_flags(CLI::App& verb, CommandLine& line) {
    for (const auto& setting : server::client_setting_table()) {
        if (setting.name == "disabled") continue;  // --enable, --disable
        auto& given = line.settings.emplace_back();
        given.name = setting.name;
        auto* option = verb.add_option(flag_of(setting.name), given.values, std::string(setting.help));
        option->type_name(std::string(setting.value));
        option->allow_extra_args(false);
    }
    verb.add_option("--expires", line.expires,
                    "When its access ends: 2027-01-31, 2027-01-31T12:00:00Z, 30d from now, or never")
        ->type_name("WHEN");
    verb.add_flag("--disable", line.disable, "End its sessions and let it in no more; nothing is forgotten");
    verb.add_flag("--enable", line.enable, "Let it in again");
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
    name(add_verb(noun, line, {"show", "Show all about a client", "tunnelctl client show home"}, show));
    auto* setting = name(add_verb(noun, line,
                                  {"set", "Set what a client is allowed; at once, none takes a limit back",
                                   "tunnelctl client set home --max-visitors 100 --bandwidth-out 50Mbit"},
                                  set));
    add_setting_flags(*setting, line);
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
