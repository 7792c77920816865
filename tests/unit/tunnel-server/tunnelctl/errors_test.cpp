// What goes wrong between tunnelctl and a server, and what the user reads then.

#include <gmock/gmock.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cerrno>
#include <streambuf>

#include "tests/unit/tunnel-server/tunnelctl/fake_server.hpp"
#include "tunnel-server/tunnelctl/admin_client.hpp"

namespace tunnel::ctl {
namespace {

using proto::AdminResponse;
using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

class TunnelctlErrorTest : public TunnelctlTest {
  protected:
    // Runs `status` against a server that sends these bytes.
    Outcome status_against(Bytes bytes, Afterwards afterwards = Afterwards::close) {
        FakeServer server(socket, std::move(bytes), afterwards);
        return run_ctl({"status"});
    }
    std::string nobody_answers() const {
        return "tunnelctl: no tunnel-server answers at " + socket +
               ": is it running? If it runs as another user, use sudo or --socket PATH\n";
    }
};

TEST_F(TunnelctlErrorTest, AMissingSocketAsksWhetherTheServerRuns) {
    const auto outcome = run_ctl({"status"});
    EXPECT_EQ(outcome.code, 1);
    EXPECT_EQ(outcome.out, "");
    EXPECT_EQ(outcome.err, nobody_answers());
}

TEST_F(TunnelctlErrorTest, ASocketThatNobodyListensToSaysTheSame) {
    { FakeServer gone(socket, {}); }
    ASSERT_TRUE(std::filesystem::exists(socket));
    const auto outcome = run_ctl({"status"});
    EXPECT_EQ(outcome.code, 1);
    EXPECT_EQ(outcome.err, nobody_answers());
}

TEST_F(TunnelctlErrorTest, APathThatFitsNoSocketIsWrongUsage) {
    socket = "/" + std::string(200, 'x');
    const auto outcome = run_ctl({"status"});
    EXPECT_EQ(outcome.code, 2);
    EXPECT_THAT(outcome.err, HasSubstr("cannot be a socket's path: it must have 1 to 107 bytes"));
}

// Root may connect to any socket. So the command runs in a child that becomes nobody first when it is root;
// for another user the mode alone is enough.
TEST_F(TunnelctlErrorTest, ASocketOfAnotherGroupNamesThatGroup) {
    FakeServer server(socket, {});
    ASSERT_EQ(::chmod(folder.c_str(), 0755), 0);
    ASSERT_EQ(::chmod(socket.c_str(), 0), 0);
    std::array<int, 2> ends{};
    ASSERT_EQ(::pipe(ends.data()), 0);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        if (::geteuid() == 0 && (::setgid(65534) != 0 || ::setuid(65534) != 0)) ::_exit(100);
        const auto outcome = run_ctl({"status"});
        const bool written = ::write(ends[1], outcome.err.data(), outcome.err.size()) > 0;
        ::_exit(written ? outcome.code : 101);
    }
    ::close(ends[1]);
    std::string said;
    std::array<char, 1024> part{};
    for (ssize_t size = 0; (size = ::read(ends[0], part.data(), part.size())) > 0;)
        said.append(part.data(), static_cast<std::size_t>(size));
    ::close(ends[0]);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 1);
    EXPECT_THAT(said, AllOf(StartsWith("tunnelctl: no permission for " + socket +
                                       ": run as root or as a member of its group ("),
                            EndsWith(")\n")));
    if (::getegid() == 0) {
        EXPECT_THAT(said, HasSubstr("(root)"));
    }
}

TEST_F(TunnelctlErrorTest, TheServersRefusalIsShownAsItIs) {
    AdminResponse answer;
    answer.mutable_error()->set_code("not_found");
    answer.mutable_error()->set_message("there is no client \"home\": \x1b[31m\"client list\" shows all");
    const auto outcome = run_against(answer, {"client", "remove", "home"});
    EXPECT_EQ(outcome.code, 1);
    EXPECT_EQ(outcome.out, "");
    EXPECT_EQ(outcome.err, "tunnelctl: there is no client \"home\": \\x1b[31m\"client list\" shows all\n");

    answer.mutable_error()->clear_message();
    EXPECT_EQ(run_against(answer, {"status"}).err, "tunnelctl: the server refused: not_found\n");
}

TEST_F(TunnelctlErrorTest, AnAnswerToAnotherQuestionIsAnError) {
    for (const auto& answer : {done(), AdminResponse()}) {
        const auto outcome = run_against(answer, {"status"});
        EXPECT_EQ(outcome.code, 1);
        EXPECT_EQ(outcome.out, "");
        EXPECT_THAT(outcome.err, HasSubstr("answered another question"));
    }
}

TEST_F(TunnelctlErrorTest, MalformedBytesAreAnError) {
    const auto outcome = status_against({0, 0, 0, 3, 0xff, 0xff, 0xff});
    EXPECT_EQ(outcome.code, 1);
    EXPECT_EQ(outcome.out, "");
    EXPECT_THAT(outcome.err, HasSubstr("sent something that is no admin answer"));
}

TEST_F(TunnelctlErrorTest, AnOversizedFrameIsRefusedByItsHeader) {
    const auto outcome = status_against({0x00, 0x40, 0x00, 0x01}, Afterwards::keep_silent);
    EXPECT_EQ(outcome.code, 1);
    EXPECT_THAT(outcome.err, HasSubstr("announces 4194305 bytes, more than the 4194304"));
}

TEST_F(TunnelctlErrorTest, AFrameOfTheLargestSizeIsRead) {
    AdminResponse answer;
    auto& config_file = *answer.mutable_status()->mutable_config_file();
    config_file.assign(max_admin_frame - 100, 'x');
    while (answer.ByteSizeLong() < max_admin_frame) config_file += 'x';
    ASSERT_EQ(answer.ByteSizeLong(), max_admin_frame);
    const auto outcome = run_against(answer, {"status"});
    EXPECT_EQ(outcome.code, 0);
    EXPECT_THAT(outcome.out, HasSubstr(config_file));
}

TEST_F(TunnelctlErrorTest, AServerThatHangsUpIsAnError) {
    for (const Bytes& part : {Bytes{}, Bytes{0, 0}, Bytes{0, 0, 0, 9, 1}}) {
        const auto outcome = status_against(part);
        EXPECT_EQ(outcome.code, 1);
        EXPECT_EQ(outcome.out, "");
        EXPECT_THAT(outcome.err, HasSubstr("closed the connection without an answer"));
        std::filesystem::remove(socket);
    }
}

TEST_F(TunnelctlErrorTest, AServerThatSaysNothingIsNotWaitedForForEver) {
    environment.io_timeout = Millis(50);
    for (const Bytes& part : {Bytes{}, Bytes{0, 0, 0, 9, 1}}) {
        const auto outcome = status_against(part, Afterwards::keep_silent);
        EXPECT_EQ(outcome.code, 1);
        EXPECT_THAT(outcome.err, HasSubstr("did not answer within 50ms"));
        std::filesystem::remove(socket);
    }
}

// Standard output as a pipe whose reader is gone, or a disk that is full.
struct BrokenOutput : std::streambuf {
    explicit BrokenOutput(int errno_of_writes) : error(errno_of_writes) {}
    int_type overflow(int_type) override {
        errno = error;
        return traits_type::eof();
    }
    int error;
};

class TunnelctlOutputTest : public TunnelctlErrorTest {
  protected:
    Outcome list_to(BrokenOutput& broken) {
        AdminResponse answer;
        answer.mutable_clients();
        FakeServer server(socket, frame_of(answer));
        std::ostream out(&broken);
        std::ostringstream err;
        const std::array<const char*, 5> argv{"tunnelctl", "--socket", socket.c_str(), "client", "list"};
        const int code = run(static_cast<int>(argv.size()), argv.data(), out, err, environment);
        return {code, "", err.str()};
    }
};

TEST_F(TunnelctlOutputTest, AReaderThatIsGoneEndsItWithoutAWord) {
    BrokenOutput closed_pipe(EPIPE);
    const auto outcome = list_to(closed_pipe);
    EXPECT_EQ(outcome.code, 1);
    EXPECT_EQ(outcome.err, "");
}

TEST_F(TunnelctlOutputTest, AFullDiskIsReported) {
    BrokenOutput full_disk(ENOSPC);
    const auto outcome = list_to(full_disk);
    EXPECT_EQ(outcome.code, 1);
    EXPECT_EQ(outcome.err, "tunnelctl: cannot write to standard output: No space left on device\n");
}

}  // namespace
}  // namespace tunnel::ctl
