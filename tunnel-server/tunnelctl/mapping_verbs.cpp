// mapping add | list | show | pause | resume | drain | undrain | remove

#include "common/mapping/spec.hpp"
#include "tunnel-server/tunnelctl/command_line.hpp"
#include "tunnel-server/tunnelctl/views.hpp"

namespace tunnel::ctl {

namespace {

using proto::AdminResponse;

proto::MappingQuery to_query(const MappingName& mapping) {
    proto::MappingQuery query;
    query.set_name(mapping.name);
    query.set_client(mapping.client);
    return query;
}

Result<Action> add(const CommandLine& line) {
    auto mapping = parse_mapping_name(line.name, line.client);
    if (!mapping) return pass(std::move(mapping.error()));
    if (mapping->client.empty())
        return fail(Errc::invalid, "whose mapping is \"{}\"? Name the client with --client CLIENT",
                    mapping->name);
    const auto options = line.options.read(mapping->name);
    if (!options) return pass(options.error());

    Action action;
    auto& request = *action.request.mutable_mapping_add();
    request.set_client(mapping->client);
    wire::fill(*request.mutable_spec(), to_spec(*options));
    action.answer = AdminResponse::kMapping;
    action.show = [](const AdminResponse& answer, Output& output) {
        if (output.form == Form::json)
            output.result = to_text(to_json(mapping_columns(), answer.mapping()));
        else
            output.result = summary(answer.mapping()) + '\n';
    };
    return action;
}

Result<Action> list(const CommandLine&) {
    Action action;
    action.request.mutable_mapping_list();
    action.answer = AdminResponse::kMappings;
    action.show = [](const AdminResponse& answer, Output& output) {
        show_list(output, mapping_columns(answer.mappings()), answer.mappings().mappings(),
                  "There is no mapping yet: \"tunnelctl mapping add NAME --client CLIENT --tcp PORT --to "
                  "HOST:PORT\" makes one.");
    };
    return action;
}

Result<Action> show(const CommandLine& line) {
    auto mapping = parse_mapping_name(line.name, line.client);
    if (!mapping) return pass(std::move(mapping.error()));
    Action action;
    *action.request.mutable_mapping_show() = to_query(*mapping);
    action.answer = AdminResponse::kMapping;
    action.show = [](const AdminResponse& answer, Output& output) {
        show_one(output, mapping_columns(answer.mapping()), answer.mapping());
        const auto& members = answer.mapping().members();
        if (output.form == Form::text && !members.empty())
            output.result += "\n" + to_table(member_columns(), members, output.now);
    };
    return action;
}

// A verb that takes a mapping's name and answers with a confirmation.
MakeAction change(proto::MappingQuery* (proto::AdminRequest::*field)(), std::string done) {
    return [field, done](const CommandLine& line) -> Result<Action> {
        auto mapping = parse_mapping_name(line.name, line.client);
        if (!mapping) return pass(std::move(mapping.error()));
        Action action;
        *(action.request.*field)() = to_query(*mapping);
        action.answer = AdminResponse::kDone;
        action.show = [mapping = *mapping, done](const AdminResponse&, Output& output) {
            confirm(output, fmt::format("mapping {} {}", to_string(mapping), done),
                    {{"mapping", mapping.name},
                     {"client", mapping.client.empty() ? Json() : Json(mapping.client)},
                     {"result", done}});
        };
        return action;
    };
}

// Takes a mapping's name and one of its members.
MakeAction change_member(proto::MemberQuery* (proto::AdminRequest::*field)(), std::string done) {
    return [field, done](const CommandLine& line) -> Result<Action> {
        auto mapping = parse_mapping_name(line.name, line.client);
        if (!mapping) return pass(std::move(mapping.error()));
        // Written in another way than the mapping has it, it is the same service.
        const auto service = parse_service(line.member);
        if (!service) return pass(service.error());
        Action action;
        auto& query = *(action.request.*field)();
        *query.mutable_mapping() = to_query(*mapping);
        query.set_member(to_string(*service));
        action.answer = AdminResponse::kDone;
        action.show = [mapping = *mapping, member = query.member(), done](const AdminResponse&,
                                                                          Output& output) {
            confirm(output, fmt::format("member {} of mapping {} {}", member, to_string(mapping), done),
                    {{"mapping", mapping.name},
                     {"client", mapping.client.empty() ? Json() : Json(mapping.client)},
                     {"member", member},
                     {"result", done}});
        };
        return action;
    };
}

}  // namespace

void add_mapping_verbs(CLI::App& app, CommandLine& line) {
    using proto::AdminRequest;
    auto& noun = *add_noun(app, "mapping", "Which public port leads to which service");
    const auto name = [&line](CLI::App* verb) {
        verb->add_option("NAME", line.name, "The mapping's name, or CLIENT/NAME")->required();
        verb->add_option("--client", line.client, "The client it belongs to")->type_name("CLIENT");
        return verb;
    };
    auto* adding = name(add_verb(
        noun, line,
        {"add", "Make a mapping", "tunnelctl mapping add ssh --client home --tcp 2222 --to 127.0.0.1:22"},
        add));
    line.options.add_to(*adding, "--to");
    add_verb(noun, line, {"list", "List the mappings", "tunnelctl mapping list"}, list);
    name(add_verb(
        noun, line,
        {"show", "Show all about a mapping, also its last error", "tunnelctl mapping show home/ssh"}, show));
    name(add_verb(
        noun, line,
        {"pause", "Close a mapping's public port until it is resumed", "tunnelctl mapping pause home/ssh"},
        change(&AdminRequest::mutable_mapping_pause, "paused")));
    name(
        add_verb(noun, line,
                 {"resume", "Open a paused mapping's public port again", "tunnelctl mapping resume home/ssh"},
                 change(&AdminRequest::mutable_mapping_resume, "resumed")));
    const auto member = [&line](CLI::App* verb) {
        verb->add_option("MEMBER", line.member, "One of its services, as \"mapping show\" lists them")
            ->required();
    };
    member(name(add_verb(noun, line,
                         {"drain", "Send no new visitors to a member of a mapping; those it has stay",
                          "tunnelctl mapping drain home/web 127.0.0.1:8002"},
                         change_member(&AdminRequest::mutable_mapping_drain, "drained"))));
    member(name(add_verb(noun, line,
                         {"undrain", "Send visitors to a drained member again",
                          "tunnelctl mapping undrain home/web 127.0.0.1:8002"},
                         change_member(&AdminRequest::mutable_mapping_undrain, "undrained"))));
    name(add_verb(noun, line,
                  {"remove", "Remove a mapping that was made with \"mapping add\"",
                   "tunnelctl mapping remove home/ssh"},
                  change(&AdminRequest::mutable_mapping_remove, "removed")));
}

}  // namespace tunnel::ctl
