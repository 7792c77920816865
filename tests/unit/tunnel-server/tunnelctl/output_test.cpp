// What holds for the output of every verb: empty lists, any locale, hostile text, impossible times.

#include <gmock/gmock.h>

#include <limits>
#include <locale>

#include "tests/unit/tunnel-server/tunnelctl/fake_server.hpp"

namespace tunnel::ctl {
namespace {

using proto::AdminResponse;
using testing::HasSubstr;

TEST_F(TunnelctlTest, EmptyListsSayHowToGetAFirstEntry) {
    AdminResponse answer;
    answer.mutable_clients();
    auto outcome = run_against(answer, {"client", "list"});
    EXPECT_EQ(outcome.code, 0);
    EXPECT_EQ(outcome.out, "NAME  STATE  ADDRESS  LAST SEEN  MAPPINGS  VISITORS  CREATED  EXPIRES\n");
    EXPECT_EQ(outcome.err, "There is no client yet: \"tunnelctl client add NAME\" makes one.\n");
    outcome = run_against(answer, {"client", "list", "--json"});
    EXPECT_EQ(outcome.out, "[]\n");

    answer.mutable_mappings();
    outcome = run_against(answer, {"mapping", "list"});
    EXPECT_EQ(outcome.code, 0);
    EXPECT_EQ(
        outcome.err,
        "There is no mapping yet: \"tunnelctl mapping add NAME --client CLIENT --tcp PORT --to HOST:PORT\" "
        "makes one.\n");
    answer.mutable_sessions();
    outcome = run_against(answer, {"session", "list"});
    EXPECT_THAT(outcome.err, HasSubstr("No client is connected"));
    answer.mutable_connections();
    outcome = run_against(answer, {"connection", "list"});
    EXPECT_EQ(outcome.err, "No visitor is connected.\n");
    outcome = run_against(answer, {"connection", "list", "--mapping", "home/ssh"});
    EXPECT_THAT(outcome.err, HasSubstr("No visitor of mapping home/ssh is connected"));
}

AdminResponse busy_status() {
    AdminResponse response;
    response.mutable_status()->set_visitors_total(60'000);
    response.mutable_status()->set_bytes_out(5'368'709'120);
    return response;
}

struct GroupedDigits : std::numpunct<char> {
    char do_thousands_sep() const override { return '.'; }
    std::string do_grouping() const override { return "\3"; }
    char do_decimal_point() const override { return ','; }
};

TEST_F(TunnelctlTest, TheLocaleChangesNothing) {
    const auto before = std::locale::global(std::locale(std::locale::classic(), new GroupedDigits));
    const auto outcome = run_against(busy_status(), {"status"});
    const auto json = run_against(busy_status(), {"status", "--json"});
    std::locale::global(before);
    EXPECT_THAT(outcome.out, HasSubstr("visitors total: 60000\n"));
    EXPECT_THAT(outcome.out, HasSubstr("bytes out: 5.0 GiB\n"));
    EXPECT_THAT(json.out, HasSubstr("\"bytes_out\": 5368709120,"));
}

TEST_F(TunnelctlTest, WhatTheServerSaysCannotSteerTheTerminal) {
    AdminResponse answer;
    auto& session = *answer.mutable_sessions()->add_sessions();
    session.set_client("home\nevil");
    session.set_software(
        "a\x1b[2Jb\tc\x7f\xc2\x9b"
        "d\xc3\xa9");
    const auto table = run_against(answer, {"session", "list"});
    EXPECT_THAT(table.out, HasSubstr("home\\nevil "));
    EXPECT_THAT(table.out, HasSubstr("a\\x1b[2Jb\\tc\\x7f\\xc2\\x9bd\xc3\xa9"));
    const auto json = run_against(answer, {"session", "list", "--json"});
    EXPECT_THAT(json.out, HasSubstr(R"("a\u001b[2Jb\tc)"));
    EXPECT_EQ(json.out.find('\x1b'), std::string::npos);
    EXPECT_EQ(json.out.find('\xc2'), std::string::npos);
}

TEST_F(TunnelctlTest, TimesBeyondTheClockAreNoTimes) {
    AdminResponse answer;
    auto& client = *answer.mutable_clients()->add_clients();
    client.set_created_at(std::numeric_limits<std::int64_t>::max());
    client.set_last_seen_at(std::numeric_limits<std::int64_t>::min());
    client.set_expires_at(-1);
    const auto outcome = run_against(answer, {"client", "list", "--json"});
    EXPECT_EQ(outcome.code, 0);
    EXPECT_THAT(outcome.out, HasSubstr("\"created_at\": null"));
    EXPECT_THAT(outcome.out, HasSubstr("\"last_seen_at\": null"));
    EXPECT_THAT(outcome.out, HasSubstr("\"expires_at\": \"1969-12-31T23:59:59Z\""));
}

}  // namespace
}  // namespace tunnel::ctl
