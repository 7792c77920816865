#include "tunnel-server/tunnelctl/run.hpp"

#include <cerrno>
#include <ostream>
#include <sstream>
#include <system_error>

#include "common/core/secret.hpp"
#include "tunnel-server/tunnelctl/admin_client.hpp"
#include "tunnel-server/tunnelctl/command_line.hpp"
#include "tunnel-server/tunnelctl/socket_path.hpp"
#include "tunnel-server/tunnelctl/text.hpp"

namespace tunnel::ctl {

namespace {

constexpr int done = 0;
constexpr int failed = 1;
constexpr int wrong_usage = 2;

int tell(std::ostream& err, const Error& error) {
    err << "tunnelctl: " << error.message << '\n';
    return error.code == Errc::invalid ? wrong_usage : failed;
}

// A reader that went away has seen enough; anything else (a full disk) is worth a word.
int write_result(std::ostream& out, std::ostream& err, std::string_view result) {
    errno = 0;
    out.write(result.data(), static_cast<std::streamsize>(result.size()));
    out.flush();
    if (out) return done;
    if (errno != 0 && errno != EPIPE)
        err << "tunnelctl: cannot write to standard output: " << std::generic_category().message(errno)
            << '\n';
    return failed;
}

// The server's own words. They may name what another user typed, so they are shown, not sent, to the
// terminal.
int tell_refusal(std::ostream& err, const proto::AdminError& refusal) {
    err << "tunnelctl: "
        << (refusal.message().empty() ? fmt::format("the server refused: {}", printable(refusal.code()))
                                      : printable(refusal.message()))
        << '\n';
    return failed;
}

Result<proto::AdminResponse> ask(const std::string& socket, const Action& action, Millis timeout) {
    auto client = AdminClient::connect(socket, timeout);
    if (!client) return pass(std::move(client.error()));
    auto answer = client->call(action.request);
    if (!answer) return answer;
    const auto kind = answer->response_case();
    if (kind != action.answer && kind != proto::AdminResponse::kError)
        return fail(
            Errc::protocol,
            "what answers at {} answered another question: are tunnelctl and tunnel-server of the same "
            "version?",
            socket);
    return answer;
}

}  // namespace

int run(int argc, const char* const* argv, std::ostream& out, std::ostream& err,
        const Environment& environment) {
    CommandLine line;
    line.now = environment.now();
    std::ostringstream help;
    if (const auto code = parse_command_line(argc, argv, line, help, err)) {
        const int written = write_result(out, err, help.str());
        return *code != done ? *code : written;
    }
    const Action& action = **line.action;
    const auto socket = find_socket(line.socket, environment);
    if (!socket) return tell(err, socket.error());
    auto answer = ask(*socket, action, environment.io_timeout);
    if (!answer) return tell(err, answer.error());
    if (answer->has_error()) return tell_refusal(err, answer->error());

    Output output{line.json ? Form::json : Form::text, line.now, {}, {}};
    action.show(*answer, output);
    const int written = write_result(out, err, output.result);
    if (written == done) err << output.notes << std::flush;
    if (answer->has_client_link()) {
        wipe(output.result);
        wipe(*answer->mutable_client_link()->mutable_link());
    }
    return written;
}

}  // namespace tunnel::ctl
