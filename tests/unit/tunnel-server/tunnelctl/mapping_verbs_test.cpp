// mapping add, list, show, pause, resume, remove: the request each sends, and every byte it prints.

#include <gmock/gmock.h>

#include "tests/unit/tunnel-server/tunnelctl/fake_server.hpp"

namespace tunnel::ctl {
namespace {

using proto::AdminRequest;
using proto::AdminResponse;
using testing::HasSubstr;

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
    mapping.set_datagrams_in(11);
    mapping.set_datagrams_out(12);
    mapping.set_datagrams_dropped("queue=3");
    mapping.set_datagrams_by("datagram");
    for (const auto& [reason, count] : {std::pair("denied", 5), std::pair("at_once", 2)}) {
        auto& refusal = *mapping.add_refusals();
        refusal.set_reason(reason);
        refusal.set_count(static_cast<std::uint64_t>(count));
    }
    auto& idle = *mapping.mutable_spec()->add_options();
    idle.set_name("idle_timeout");
    idle.set_value("5m");
    return mapping;
}

const char* const listening_mapping_json = R"({
  "name": "ssh",
  "client": "home",
  "state": "listening",
  "public_address": "vps.example.com:2222",
  "service": "127.0.0.1:22",
  "members": [],
  "encrypt": true,
  "visitors": 2,
  "visitors_total": 1234,
  "bytes_in": 1536,
  "bytes_out": 18446744073709551615,
  "refused_total": 7,
  "refusals": {
    "denied": 5,
    "at_once": 2
  },
  "datagrams_in": 11,
  "datagrams_out": 12,
  "datagrams_dropped": "queue=3",
  "datagrams_by": "datagram",
  "source": "admin",
  "protocol": "tcp",
  "port": 2222,
  "last_error": "connection refused",
  "last_error_at": "2027-01-15T07:56:40Z",
  "idle_timeout": "5m",
  "lifetime": "0",
  "keepalive": "1m",
  "transport": "auto",
  "flow_timeout": "1m",
  "allow": [],
  "deny": [],
  "max_visitors": null,
  "visitors_per_second": null,
  "visitors_per_second_per_address": null,
  "bandwidth_in": null,
  "bandwidth_out": null,
  "bandwidth_burst": null,
  "proxy_protocol": null,
  "accept_proxy_from": [],
  "member": [],
  "weight": "1",
  "backup": false,
  "balance": "round_robin",
  "group": null,
  "check": "none",
  "check_path": "/",
  "check_status": "any",
  "check_interval": "5s",
  "check_timeout": "2s",
  "check_rise": "2",
  "check_fall": "3"
}
)";

TEST_F(TunnelctlTest, MappingAddSendsEveryWordAndPrintsTheAddress) {
    AdminResponse answer;
    *answer.mutable_mapping() = listening_mapping();
    auto outcome = run_against(
        answer, {"mapping", "add", "ssh", "--client", "home", "--tcp", "2222", "--to", "127.0.0.1:22"});
    ASSERT_EQ(request.request_case(), AdminRequest::kMappingAdd);
    EXPECT_EQ(request.mapping_add().spec().name(), "ssh");
    EXPECT_EQ(request.mapping_add().client(), "home");
    EXPECT_EQ(request.mapping_add().spec().tcp(), 2222u);
    EXPECT_EQ(request.mapping_add().spec().service(), "127.0.0.1:22");
    EXPECT_TRUE(request.mapping_add().spec().encrypt());
    EXPECT_EQ(outcome.code, 0);
    EXPECT_EQ(outcome.out, "ssh: tcp://vps.example.com:2222 -> 127.0.0.1:22 (client home: listening)\n");
    EXPECT_EQ(outcome.err, "");

    outcome = run_against(
        answer, {"mapping", "add", "home/ssh", "--tcp", "0", "--to", "[::1]:22", "--no-encrypt", "--json"});
    EXPECT_EQ(request.mapping_add().spec().name(), "ssh");
    EXPECT_EQ(request.mapping_add().client(), "home");
    EXPECT_EQ(request.mapping_add().spec().tcp(), 0u);
    EXPECT_EQ(request.mapping_add().spec().service(), "[::1]:22");
    EXPECT_FALSE(request.mapping_add().spec().encrypt());
    EXPECT_EQ(outcome.out, listening_mapping_json);
}

TEST_F(TunnelctlTest, MappingAddSaysWhenThereIsNoAddressYet) {
    AdminResponse answer;
    *answer.mutable_mapping() = listening_mapping();
    answer.mutable_mapping()->clear_public_address();
    answer.mutable_mapping()->set_state("offline");
    const auto outcome =
        run_against(answer, {"mapping", "add", "ssh", "--client", "home", "--tcp", "0", "--to", "22"});
    EXPECT_EQ(request.mapping_add().spec().service(), "127.0.0.1:22");
    EXPECT_EQ(outcome.out, "ssh: no public address yet -> 127.0.0.1:22 (client home: offline)\n");
}

TEST_F(TunnelctlTest, MappingListShowsAddressesTrafficAndState) {
    AdminResponse answer;
    *answer.mutable_mappings()->add_mappings() = listening_mapping();
    auto outcome = run_against(answer, {"mapping", "list"});
    EXPECT_EQ(request.request_case(), AdminRequest::kMappingList);
    EXPECT_EQ(outcome.out,
              "NAME  CLIENT  STATE      PUBLIC ADDRESS              SERVICE       ENCRYPT  OPTIONS          "
              "VISITORS  BYTES IN"
              "       BYTES OUT  SOURCE\n"
              "ssh   home    listening  tcp://vps.example.com:2222  127.0.0.1:22  yes      idle_timeout=5m  "
              "       2   1.5 KiB"
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
refused by reason: denied=5, at_once=2
datagrams in: 11
datagrams out: 12
datagrams dropped: queue=3
datagrams by: datagram
source: admin
protocol: tcp
port: 2222
last error: connection refused (3m ago)
idle timeout: 5m
lifetime: 0
keepalive: 1m
transport: auto
flow timeout: 1m
allow: -
deny: -
max visitors: -
visitors per second: -
visitors per second per address: -
bandwidth in: -
bandwidth out: -
bandwidth burst: -
proxy protocol: -
accept proxy from: -
)");
    outcome = run_against(answer, {"mapping", "show", "ssh", "--json"});
    EXPECT_EQ(request.mapping_show().client(), "");
    EXPECT_EQ(outcome.out, listening_mapping_json);
}

TEST_F(TunnelctlTest, MappingShowOfAMappingWithoutHistory) {
    AdminResponse answer;
    answer.mutable_mapping()->set_name("web");
    const auto outcome = run_against(answer, {"mapping", "show", "web"});
    EXPECT_THAT(outcome.out, HasSubstr("\nport: not chosen yet\nlast error: -\nidle timeout: 0\n"));
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

proto::MappingInfo group_of_two() {
    auto mapping = listening_mapping();
    mapping.mutable_spec()->clear_options();
    auto& option = *mapping.mutable_spec()->add_options();
    option.set_name("member");
    option.set_value("127.0.0.1:23,backup");
    auto& first = *mapping.add_members();
    first.set_client("home");
    first.set_mapping("ssh");
    first.set_service("127.0.0.1:22");
    first.set_state("up");
    first.set_visitors(2);
    first.set_weight(1);
    auto& second = *mapping.add_members();
    second = first;
    second.set_service("127.0.0.1:23");
    second.set_state("down");
    second.set_reason("GET / was answered with status 500");
    second.set_visitors(0);
    second.set_backup(true);
    return mapping;
}

TEST_F(TunnelctlTest, MappingShowListsTheMembersOfAGroup) {
    AdminResponse answer;
    *answer.mutable_mapping() = group_of_two();
    auto outcome = run_against(answer, {"mapping", "show", "ssh"});
    EXPECT_THAT(outcome.out, HasSubstr("members: 1 of 2 up\n"));
    EXPECT_THAT(outcome.out, HasSubstr("member: 127.0.0.1:23,backup\n"));
    EXPECT_THAT(outcome.out,
                HasSubstr("\n\nMEMBER        CLIENT  MAPPING  STATE  VISITORS  WEIGHT  BACKUP  REASON\n"
                          "127.0.0.1:22  home    ssh      up            2       1  no      -\n"
                          "127.0.0.1:23  home    ssh      down          0       1  yes     GET / was "
                          "answered with status 500\n"));
    outcome = run_against(answer, {"mapping", "show", "ssh", "--json"});
    EXPECT_THAT(outcome.out, HasSubstr("\"member\": \"127.0.0.1:23\",\n      \"client\": \"home\""));
    EXPECT_THAT(outcome.out, HasSubstr("\"reason\": \"GET / was answered with status 500\""));

    AdminResponse list;
    *list.mutable_mappings()->add_mappings() = group_of_two();
    *list.mutable_mappings()->add_mappings() = listening_mapping();
    outcome = run_against(list, {"mapping", "list"});
    EXPECT_THAT(outcome.out, HasSubstr("MEMBERS"));
    EXPECT_THAT(outcome.out, HasSubstr("127.0.0.1:22  1 of 2 up"));
}

TEST_F(TunnelctlTest, MappingDrainAndUndrainNameAMember) {
    AdminResponse answer;
    answer.mutable_done();
    auto outcome = run_against(answer, {"mapping", "drain", "home/web", "8002"});
    ASSERT_EQ(request.request_case(), AdminRequest::kMappingDrain);
    EXPECT_EQ(request.mapping_drain().mapping().client(), "home");
    EXPECT_EQ(request.mapping_drain().mapping().name(), "web");
    EXPECT_EQ(request.mapping_drain().member(), "127.0.0.1:8002");
    EXPECT_EQ(outcome.out, "member 127.0.0.1:8002 of mapping home/web drained\n");
    outcome = run_against(answer, {"mapping", "undrain", "web", "unix:/run/web.sock", "--json"});
    ASSERT_EQ(request.request_case(), AdminRequest::kMappingUndrain);
    EXPECT_EQ(request.mapping_undrain().member(), "unix:/run/web.sock");
    EXPECT_THAT(outcome.out, HasSubstr("\"result\": \"undrained\""));
    EXPECT_EQ(run_against(answer, {"mapping", "drain", "web", "no service"}).code, 2);
    EXPECT_EQ(run_against(answer, {"mapping", "drain", "web"}).code, 2);
}

}  // namespace
}  // namespace tunnel::ctl
