#pragma once
// The command line: nouns and verbs, each verb one definition of its words, its request and what it shows.
// Adding a verb is one add_verb() in the file of its noun.

#include <CLI/CLI.hpp>
#include <deque>
#include <functional>
#include <iosfwd>
#include <optional>
#include <string>

#include "common/core/clock.hpp"
#include "common/core/result.hpp"
#include "common/mapping/from_flags.hpp"
#include "proto/admin.pb.h"
#include "tunnel-server/tunnelctl/columns.hpp"
#include "tunnel-server/tunnelctl/socket_path.hpp"

namespace tunnel::ctl {

enum class Form { text, json };

// What a verb has to say. Collected whole, so that a result is written in one piece or not at all.
struct Output {
    Form form = Form::text;
    WallTime now;
    std::string result;  // to standard output
    std::string notes;   // to standard error, for people
};

// What a verb does once its words are understood.
struct Action {
    proto::AdminRequest request;
    proto::AdminResponse::ResponseCase answer = proto::AdminResponse::RESPONSE_NOT_SET;  // the one expected
    std::function<void(const proto::AdminResponse& answer, Output& output)> show;
};

// The command line as it was typed. CLI11 writes into it, so it must not move while it is parsed.
struct CommandLine {
    SocketOptions socket;
    bool json = false;
    WallTime now;

    // The verbs' words; each verb reads those it has defined.
    std::string name;
    std::string client;
    std::string expires;
    MappingFlags options;
    // What `client set` was given; CLI11 writes into it, so it does not move.
    struct GivenSetting {
        std::string name;
        std::vector<std::string> values;
    };
    std::deque<GivenSetting> settings;
    bool enable = false;
    bool disable = false;
    std::string mapping;
    std::string member;
    std::string id;

    std::optional<Result<Action>> action;  // of the verb that was named; an error is wrong usage
};

// Fills `line`. nullopt: line.action holds an Action. Otherwise the exit code: help was asked for and written
// to `out` (0), or the usage was wrong and `err` says how (2).
std::optional<int> parse_command_line(int argc, const char* const* argv, CommandLine& line, std::ostream& out,
                                      std::ostream& err);

// For the files of the nouns.

struct VerbText {
    std::string name;
    std::string summary;  // one line of the noun's help
    std::string example;  // a whole command line
};
using MakeAction = std::function<Result<Action>(const CommandLine& line)>;

CLI::App* add_noun(CLI::App& app, const std::string& name, const std::string& summary);
CLI::App* add_verb(CLI::App& noun, CommandLine& line, const VerbText& text, MakeAction make);

void add_client_verbs(CLI::App& app, CommandLine& line);
void add_mapping_verbs(CLI::App& app, CommandLine& line);
void add_session_verbs(CLI::App& app, CommandLine& line);
void add_connection_verbs(CLI::App& app, CommandLine& line);
void add_status_verb(CLI::App& app, CommandLine& line);

// A mapping named as NAME or CLIENT/NAME, with --client if that was given. `client` stays empty when neither
// says it.
struct MappingName {
    std::string client;
    std::string name;
};
Result<MappingName> parse_mapping_name(std::string_view text, std::string_view client_option);
std::string to_string(const MappingName& mapping);

// JSON as it is printed: indented, ASCII (so that nothing in it can steer a terminal), one newline at the
// end.
std::string to_text(const Json& json);

// The answer to a verb that changes something and has nothing else to show: `sentence` for people, `object`
// for programs.
void confirm(Output& output, std::string_view sentence, const Json& object);

// A list, or an empty one with a note that says how to get a first entry.
template <class Row, class Rows>
void show_list(Output& output, const Columns<Row>& columns, const Rows& rows,
               std::string_view hint_when_empty) {
    output.result = output.form == Form::json ? to_text(to_json_list(columns, rows))
                                              : to_table(columns, rows, output.now);
    if (rows.empty()) output.notes = std::string(hint_when_empty) + '\n';
}

// One thing in all its detail.
template <class Row>
void show_one(Output& output, const Columns<Row>& columns, const Row& row) {
    output.result =
        output.form == Form::json ? to_text(to_json(columns, row)) : to_details(columns, row, output.now);
}

}  // namespace tunnel::ctl
