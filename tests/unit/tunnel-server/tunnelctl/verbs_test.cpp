// Each verb through the door of main: the request it sends, and every byte it prints.

#include <gmock/gmock.h>

#include <locale>

#include "tests/unit/tunnel-server/tunnelctl/fake_server.hpp"

namespace tunnel::ctl {
namespace {

using proto::AdminRequest;
using proto::AdminResponse;
using testing::HasSubstr;

AdminResponse link_answer() {
    AdminResponse response;
    response.mutable_client_link()->set_name("home");
    response.mutable_client_link()->set_link("tunnel://home:abc@vps.example.com:7000?pin=xyz");
    return response;
}

proto::MappingInfo listening_mapping() {
    proto::MappingInfo mapping;
    mapping.set_name("ssh");
    mapping.set_client("home");
    mapping.set_source("admin");
    mapping.set_protocol("tcp");
    mapping.set_port(2222);
    mapping.set_public_address("vps.example.com:2222");
    mapping.set_service("127.0.0.1:22");
    mapping.set_encrypt(true);
    mapping.set_state("listening");
    mapping.set_last_error("connection refused");
    mapping.set_last_error_at(test_now - 200);
    mapping.set_visitors(2);
    mapping.set_visitors_total(1234);
    mapping.set_bytes_in(1536);
    mapping.set_bytes_out(18'446'744'073'709'551'615u);
    mapping.set_refused_total(7);
    return mapping;
}

const char* const listening_mapping_json = R"({
  "name": "ssh",
  "client": "home",
  "state": "listening",
  "public_address": "vps.example.com:2222",
  "service": "127.0.0.1:22",
  "encrypt": true,
  "visitors": 2,
  "visitors_total": 1234,
  "bytes_in": 1536,
  "bytes_out": 18446744073709551615,
  "refused_total": 7,
  "source": "admin",
  "protocol": "tcp",
  "port": 2222,
  "last_error": "connection refused",
  "last_error_at": "2027-01-15T07:56:40Z"
}
)";

TEST_F(TunnelctlTest, ClientAddPrintsTheLinkAloneAndTheProseBesideIt) {
    const auto outcome = run_against(link_answer(), {"client", "add", "home"});
    ASSERT_EQ(request.request_case(), AdminRequest::kClientAdd);
    EXPECT_EQ(request.client_add().name(), "home");
    EXPECT_EQ(request.client_add().expires_at(), 0);
    EXPECT_EQ(outcome.code, 0);
    EXPECT_EQ(outcome.out, "tunnel://home:abc@vps.example.com:7000?pin=xyz\n");
    EXPECT_EQ(
        outcome.err,
        "Client home added. The line above is its join link: give it to \"tunnel-client join\" on the host "
        "that holds the services.\nIt is a secret and is not shown again; \"tunnelctl client rotate home\" "
        "makes a new one.\n");
}

TEST_F(TunnelctlTest, ClientAddAsJsonIsOneObject) {
    const auto outcome = run_against(link_answer(), {"client", "add", "home", "--json"});
    EXPECT_EQ(outcome.code, 0);
    EXPECT_EQ(
        outcome.out,
        "{\n  \"name\": \"home\",\n  \"link\": \"tunnel://home:abc@vps.example.com:7000?pin=xyz\"\n}\n");
    EXPECT_EQ(outcome.err, "");
}

TEST_F(TunnelctlTest, ClientAddExpiresWhenToldTo) {
    run_against(link_answer(), {"client", "add", "home", "--expires", "30d"});
    EXPECT_EQ(request.client_add().expires_at(), test_now + 30 * 86'400);
    run_against(link_answer(), {"client", "add", "home", "--expires", "2027-01-31T12:00:00Z"});
    EXPECT_EQ(request.client_add().expires_at(), 1'801'396'800);

    const auto nonsense = run_ctl({"client", "add", "home", "--expires", "soon"});
    EXPECT_EQ(nonsense.code, 2);
    EXPECT_THAT(nonsense.err, HasSubstr("tunnelctl: --expires: \"soon\" is not a time"));
    const auto past = run_ctl({"client", "add", "home", "--expires", "2020-01-01"});
    EXPECT_EQ(past.code, 2);
    EXPECT_THAT(past.err, HasSubstr("is in the past"));
}

TEST_F(TunnelctlTest, ClientRotatePrintsTheNewLinkAlone) {
    const auto outcome = run_against(link_answer(), {"client", "rotate", "home"});
    ASSERT_EQ(request.request_case(), AdminRequest::kClientRotate);
    EXPECT_EQ(request.client_rotate().name(), "home");
    EXPECT_EQ(outcome.code, 0);
    EXPECT_EQ(outcome.out, "tunnel://home:abc@vps.example.com:7000?pin=xyz\n");
    EXPECT_THAT(outcome.err, HasSubstr("the one before no longer works"));
}

TEST_F(TunnelctlTest, ClientRemoveConfirms) {
    auto outcome = run_against(done(), {"client", "remove", "home"});
    ASSERT_EQ(request.request_case(), AdminRequest::kClientRemove);
    EXPECT_EQ(request.client_remove().name(), "home");
    EXPECT_EQ(outcome.code, 0);
    EXPECT_EQ(outcome.out, "client home removed\n");
    EXPECT_EQ(outcome.err, "");
    outcome = run_against(done(), {"--json", "client", "remove", "home"});
    EXPECT_EQ(outcome.out, "{\n  \"client\": \"home\",\n  \"result\": \"removed\"\n}\n");
}

AdminResponse two_clients() {
    AdminResponse response;
    auto& home = *response.mutable_clients()->add_clients();
    home.set_name("home");
    home.set_state("connected");
    home.set_address("203.0.113.9:51000");
    home.set_created_at(test_now - 3 * 86'400 - 5);
    home.set_expires_at(test_now + 2 * 3600);
    home.set_last_seen_at(test_now - 12);
    home.set_mappings(12);
    home.set_visitors(3);
    auto& office = *response.mutable_clients()->add_clients();
    office.set_name("office");
    office.set_state("offline");
    office.set_created_at(test_now - 180);
    return response;
}

TEST_F(TunnelctlTest, ClientListIsAnAlignedTable) {
    const auto outcome = run_against(two_clients(), {"client", "list"});
    EXPECT_EQ(request.request_case(), AdminRequest::kClientList);
    EXPECT_EQ(outcome.code, 0);
    EXPECT_EQ(outcome.out,
              "NAME    STATE      ADDRESS            LAST SEEN  MAPPINGS  VISITORS  CREATED  EXPIRES\n"
              "home    connected  203.0.113.9:51000        12s        12         3       3d    in 2h\n"
              "office  offline    -                          -         0         0       3m    never\n");
    EXPECT_EQ(outcome.err, "");
}

TEST_F(TunnelctlTest, ClientListAsJsonHasTheExactTimes) {
    const auto outcome = run_against(two_clients(), {"client", "--json", "list"});
    EXPECT_EQ(outcome.code, 0);
    EXPECT_EQ(outcome.out, R"([
  {
    "name": "home",
    "state": "connected",
    "address": "203.0.113.9:51000",
    "last_seen_at": "2027-01-15T07:59:48Z",
    "mappings": 12,
    "visitors": 3,
    "created_at": "2027-01-12T07:59:55Z",
    "expires_at": "2027-01-15T10:00:00Z"
  },
  {
    "name": "office",
    "state": "offline",
    "address": "",
    "last_seen_at": null,
    "mappings": 0,
    "visitors": 0,
    "created_at": "2027-01-15T07:57:00Z",
    "expires_at": null
  }
]
)");
}

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

TEST_F(TunnelctlTest, MappingAddSendsEveryWordAndPrintsTheAddress) {
    AdminResponse answer;
    *answer.mutable_mapping() = listening_mapping();
    auto outcome = run_against(
        answer, {"mapping", "add", "ssh", "--client", "home", "--tcp", "2222", "--to", "127.0.0.1:22"});
    ASSERT_EQ(request.request_case(), AdminRequest::kMappingAdd);
    EXPECT_EQ(request.mapping_add().name(), "ssh");
    EXPECT_EQ(request.mapping_add().client(), "home");
    EXPECT_EQ(request.mapping_add().tcp(), 2222u);
    EXPECT_EQ(request.mapping_add().service(), "127.0.0.1:22");
    EXPECT_TRUE(request.mapping_add().encrypt());
    EXPECT_EQ(outcome.code, 0);
    EXPECT_EQ(outcome.out, "ssh: tcp://vps.example.com:2222 -> 127.0.0.1:22 (client home: listening)\n");
    EXPECT_EQ(outcome.err, "");

    outcome = run_against(
        answer, {"mapping", "add", "home/ssh", "--tcp", "0", "--to", "[::1]:22", "--no-encrypt", "--json"});
    EXPECT_EQ(request.mapping_add().name(), "ssh");
    EXPECT_EQ(request.mapping_add().client(), "home");
    EXPECT_EQ(request.mapping_add().tcp(), 0u);
    EXPECT_EQ(request.mapping_add().service(), "[::1]:22");
    EXPECT_FALSE(request.mapping_add().encrypt());
    EXPECT_EQ(outcome.out, listening_mapping_json);
}

TEST_F(TunnelctlTest, MappingAddSaysWhenThereIsNoAddressYet) {
    AdminResponse answer;
    *answer.mutable_mapping() = listening_mapping();
    answer.mutable_mapping()->clear_public_address();
    answer.mutable_mapping()->set_state("offline");
    const auto outcome =
        run_against(answer, {"mapping", "add", "ssh", "--client", "home", "--tcp", "0", "--to", "22"});
    EXPECT_EQ(request.mapping_add().service(), "127.0.0.1:22");
    EXPECT_EQ(outcome.out, "ssh: no public address yet -> 127.0.0.1:22 (client home: offline)\n");
}

TEST_F(TunnelctlTest, MappingListShowsAddressesTrafficAndState) {
    AdminResponse answer;
    *answer.mutable_mappings()->add_mappings() = listening_mapping();
    auto outcome = run_against(answer, {"mapping", "list"});
    EXPECT_EQ(request.request_case(), AdminRequest::kMappingList);
    EXPECT_EQ(outcome.out,
              "NAME  CLIENT  STATE      PUBLIC ADDRESS              SERVICE       ENCRYPT  VISITORS  BYTES IN"
              "       BYTES OUT  SOURCE\n"
              "ssh   home    listening  tcp://vps.example.com:2222  127.0.0.1:22  yes             2   1.5 KiB"
              "  16777216.0 TiB  admin\n");
    outcome = run_against(answer, {"mapping", "list", "--json"});
    std::string indented = listening_mapping_json;
    for (std::size_t at = 0; (at = indented.find('\n', at)) + 1 < indented.size(); at += 3)
        indented.replace(at, 1, "\n  ");
    EXPECT_EQ(outcome.out, "[\n  " + indented + "]\n");
}

TEST_F(TunnelctlTest, MappingShowTellsEverythingAndTheAgeOfTheLastError) {
    AdminResponse answer;
    *answer.mutable_mapping() = listening_mapping();
    auto outcome = run_against(answer, {"mapping", "show", "home/ssh"});
    ASSERT_EQ(request.request_case(), AdminRequest::kMappingShow);
    EXPECT_EQ(request.mapping_show().name(), "ssh");
    EXPECT_EQ(request.mapping_show().client(), "home");
    EXPECT_EQ(outcome.code, 0);
    EXPECT_EQ(outcome.out, R"(name: ssh
client: home
state: listening
public address: tcp://vps.example.com:2222
service: 127.0.0.1:22
encrypt: yes
visitors: 2
visitors total: 1234
bytes in: 1.5 KiB
bytes out: 16777216.0 TiB
refused total: 7
source: admin
protocol: tcp
port: 2222
last error: connection refused (3m ago)
)");
    outcome = run_against(answer, {"mapping", "show", "ssh", "--json"});
    EXPECT_EQ(request.mapping_show().client(), "");
    EXPECT_EQ(outcome.out, listening_mapping_json);
}

TEST_F(TunnelctlTest, MappingShowOfAMappingWithoutHistory) {
    AdminResponse answer;
    answer.mutable_mapping()->set_name("web");
    const auto outcome = run_against(answer, {"mapping", "show", "web"});
    EXPECT_THAT(outcome.out, HasSubstr("\nport: not chosen yet\nlast error: -\n"));
}

TEST_F(TunnelctlTest, MappingPauseResumeAndRemoveConfirm) {
    auto outcome = run_against(done(), {"mapping", "pause", "ssh", "--client", "home"});
    ASSERT_EQ(request.request_case(), AdminRequest::kMappingPause);
    EXPECT_EQ(request.mapping_pause().name(), "ssh");
    EXPECT_EQ(request.mapping_pause().client(), "home");
    EXPECT_EQ(outcome.out, "mapping home/ssh paused\n");
    outcome = run_against(done(), {"mapping", "resume", "ssh"});
    ASSERT_EQ(request.request_case(), AdminRequest::kMappingResume);
    EXPECT_EQ(request.mapping_resume().client(), "");
    EXPECT_EQ(outcome.out, "mapping ssh resumed\n");
    outcome = run_against(done(), {"mapping", "remove", "home/ssh", "--client", "home", "--json"});
    ASSERT_EQ(request.request_case(), AdminRequest::kMappingRemove);
    EXPECT_EQ(request.mapping_remove().client(), "home");
    EXPECT_EQ(outcome.out,
              "{\n  \"mapping\": \"ssh\",\n  \"client\": \"home\",\n  \"result\": \"removed\"\n}\n");
}

TEST_F(TunnelctlTest, SessionListAndClose) {
    AdminResponse answer;
    auto& session = *answer.mutable_sessions()->add_sessions();
    session.set_client("home");
    session.set_slot("1");
    session.set_address("[2001:db8::1]:51000");
    session.set_software("tunnel-client 1.0.0");
    session.set_since(test_now - 2 * 3600 - 59);
    session.set_mappings(2);
    session.set_visitors(1);
    session.set_round_trip_us(12'345);
    auto outcome = run_against(answer, {"session", "list"});
    EXPECT_EQ(request.request_case(), AdminRequest::kSessionList);
    EXPECT_EQ(
        outcome.out,
        "CLIENT  SLOT  ADDRESS              SOFTWARE             SINCE  MAPPINGS  VISITORS  ROUND TRIP\n"
        "home    1     [2001:db8::1]:51000  tunnel-client 1.0.0     2h         2         1     12.3 ms\n");
    outcome = run_against(answer, {"session", "list", "--json"});
    EXPECT_EQ(outcome.out, R"([
  {
    "client": "home",
    "slot": "1",
    "address": "[2001:db8::1]:51000",
    "software": "tunnel-client 1.0.0",
    "since": "2027-01-15T05:59:01Z",
    "mappings": 2,
    "visitors": 1,
    "round_trip_us": 12345
  }
]
)");
    outcome = run_against(done(), {"session", "close", "home"});
    ASSERT_EQ(request.request_case(), AdminRequest::kSessionClose);
    EXPECT_EQ(request.session_close().name(), "home");
    EXPECT_EQ(outcome.out, "session of client home closed\n");
}

TEST_F(TunnelctlTest, ConnectionListAndClose) {
    AdminResponse answer;
    auto& connection = *answer.mutable_connections()->add_connections();
    connection.set_id(18'446'744'073'709'551'615u);
    connection.set_mapping("ssh");
    connection.set_client("home");
    connection.set_visitor("198.51.100.7:40000");
    connection.set_since(test_now + 1);  // the server's clock is a little ahead
    connection.set_bytes_in(1023);
    connection.set_bytes_out(1024 * 1024);
    auto outcome = run_against(answer, {"connection", "list", "--mapping", "home/ssh"});
    ASSERT_EQ(request.request_case(), AdminRequest::kConnectionList);
    EXPECT_EQ(request.connection_list().name(), "ssh");
    EXPECT_EQ(request.connection_list().client(), "home");
    EXPECT_EQ(
        outcome.out,
        "                  ID  MAPPING  CLIENT  VISITOR             SINCE  BYTES IN  BYTES OUT  ENCRYPT\n"
        "18446744073709551615  ssh      home    198.51.100.7:40000     0s    1023 B    1.0 MiB  no\n");
    outcome = run_against(answer, {"connection", "list", "--json"});
    EXPECT_EQ(request.connection_list().name(), "");
    EXPECT_EQ(outcome.out, R"([
  {
    "id": 18446744073709551615,
    "mapping": "ssh",
    "client": "home",
    "visitor": "198.51.100.7:40000",
    "since": "2027-01-15T08:00:01Z",
    "bytes_in": 1023,
    "bytes_out": 1048576,
    "encrypt": false
  }
]
)");
    outcome = run_against(done(), {"connection", "close", "17"});
    ASSERT_EQ(request.request_case(), AdminRequest::kConnectionClose);
    EXPECT_EQ(request.connection_close().id(), 17u);
    EXPECT_EQ(outcome.out, "connection 17 closed\n");
}

AdminResponse status_answer() {
    AdminResponse response;
    auto& status = *response.mutable_status();
    status.set_version("1.0.0");
    status.set_started_at(test_now - 86'400 * 40);
    status.add_listen("127.0.0.1:41234");
    status.add_listen("[::1]:41234");
    status.set_public_host("vps.example.com");
    status.set_workers(2);
    status.set_clients(3);
    status.set_sessions(1);
    status.set_mappings(4);
    status.set_visitors(5);
    status.set_visitors_total(60'000);
    status.set_bytes_in(0);
    status.set_bytes_out(5'368'709'120);
    status.set_refused_tickets(6);
    status.set_refused_logins(7);
    status.set_garbage_connections(8);
    status.set_config_file("/etc/tunnel/server.toml");
    status.set_draining(true);
    return response;
}

TEST_F(TunnelctlTest, StatusForPeople) {
    const auto outcome = run_against(status_answer(), {"status"});
    EXPECT_EQ(request.request_case(), AdminRequest::kStatus);
    EXPECT_EQ(outcome.code, 0);
    EXPECT_EQ(outcome.out, R"(version: 1.0.0
up for: 40d
listen: 127.0.0.1:41234, [::1]:41234
public host: vps.example.com
workers: 2
clients: 3
sessions: 1
mappings: 4
visitors: 5
visitors total: 60000
bytes in: 0 B
bytes out: 5.0 GiB
refused tickets: 6
refused logins: 7
garbage connections: 8
config file: /etc/tunnel/server.toml
draining: yes
)");
}

TEST_F(TunnelctlTest, StatusForPrograms) {
    const auto outcome = run_against(status_answer(), {"status", "--json"});
    EXPECT_EQ(outcome.out, R"({
  "version": "1.0.0",
  "started_at": "2026-12-06T08:00:00Z",
  "listen": [
    "127.0.0.1:41234",
    "[::1]:41234"
  ],
  "public_host": "vps.example.com",
  "workers": 2,
  "clients": 3,
  "sessions": 1,
  "mappings": 4,
  "visitors": 5,
  "visitors_total": 60000,
  "bytes_in": 0,
  "bytes_out": 5368709120,
  "refused_tickets": 6,
  "refused_logins": 7,
  "garbage_connections": 8,
  "config_file": "/etc/tunnel/server.toml",
  "draining": true
}
)");
}

struct GroupedDigits : std::numpunct<char> {
    char do_thousands_sep() const override { return '.'; }
    std::string do_grouping() const override { return "\3"; }
    char do_decimal_point() const override { return ','; }
};

TEST_F(TunnelctlTest, TheLocaleChangesNothing) {
    const auto before = std::locale::global(std::locale(std::locale::classic(), new GroupedDigits));
    const auto outcome = run_against(status_answer(), {"status"});
    const auto json = run_against(status_answer(), {"status", "--json"});
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
