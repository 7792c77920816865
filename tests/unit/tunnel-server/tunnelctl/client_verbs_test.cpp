// client list, add, remove, rotate: the request each sends, and every byte it prints.

#include <gmock/gmock.h>

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

}  // namespace
}  // namespace tunnel::ctl
