// session, connection and status: the request each sends, and every byte it prints.

#include <gmock/gmock.h>

#include "tests/unit/tunnel-server/tunnelctl/fake_server.hpp"

namespace tunnel::ctl {
namespace {

using proto::AdminRequest;
using proto::AdminResponse;

TEST_F(TunnelctlTest, SessionListAndClose) {
    AdminResponse answer;
    auto& session = *answer.mutable_sessions()->add_sessions();
    session.set_client("home");
    session.set_slot("1");
    session.set_address("[2001:db8::1]:51000");
    session.set_way("websocket");
    session.set_software("tunnel-client 1.0.0");
    session.set_since(test_now - 2 * 3600 - 59);
    session.set_mappings(2);
    session.set_visitors(1);
    session.set_ready(2);
    session.set_cipher("aes-128-gcm");
    session.set_round_trip_us(12'345);
    auto outcome = run_against(answer, {"session", "list"});
    EXPECT_EQ(request.request_case(), AdminRequest::kSessionList);
    EXPECT_EQ(outcome.out,
              "CLIENT  SLOT  ADDRESS              WAY        SOFTWARE             SINCE  MAPPINGS  VISITORS  "
              "READY  CIPHER       ROUND TRIP\n"
              "home    1     [2001:db8::1]:51000  websocket  tunnel-client 1.0.0     2h         2         1  "
              "    2  aes-128-gcm     12.3 ms\n");
    outcome = run_against(answer, {"session", "list", "--json"});
    EXPECT_EQ(outcome.out, R"([
  {
    "client": "home",
    "slot": "1",
    "address": "[2001:db8::1]:51000",
    "way": "websocket",
    "software": "tunnel-client 1.0.0",
    "since": "2027-01-15T05:59:01Z",
    "mappings": 2,
    "visitors": 1,
    "ready": 2,
    "cipher": "aes-128-gcm",
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
    connection.set_service("127.0.0.1:22");
    connection.set_since(test_now + 1);  // the server's clock is a little ahead
    connection.set_bytes_in(1023);
    connection.set_bytes_out(1024 * 1024);
    auto outcome = run_against(answer, {"connection", "list", "--mapping", "home/ssh"});
    ASSERT_EQ(request.request_case(), AdminRequest::kConnectionList);
    EXPECT_EQ(request.connection_list().name(), "ssh");
    EXPECT_EQ(request.connection_list().client(), "home");
    EXPECT_EQ(outcome.out,
              "                  ID  MAPPING  CLIENT  VISITOR             SERVICE       SINCE  BYTES IN  "
              "BYTES OUT  "
              "ENCRYPT\n"
              "18446744073709551615  ssh      home    198.51.100.7:40000  127.0.0.1:22     0s    1023 B    "
              "1.0 MiB  "
              "no\n");
    outcome = run_against(answer, {"connection", "list", "--json"});
    EXPECT_EQ(request.connection_list().name(), "");
    EXPECT_EQ(outcome.out, R"([
  {
    "id": 18446744073709551615,
    "mapping": "ssh",
    "client": "home",
    "visitor": "198.51.100.7:40000",
    "service": "127.0.0.1:22",
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
    status.set_data_connections(70);
    status.set_data_connections_reused(59'930);
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
data connections: 70
used again: 59930
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
  "data_connections": 70,
  "data_connections_reused": 59930,
  "refused_tickets": 6,
  "refused_logins": 7,
  "garbage_connections": 8,
  "config_file": "/etc/tunnel/server.toml",
  "draining": true
}
)");
}

}  // namespace
}  // namespace tunnel::ctl
