// client list, add, show, set, remove, rotate: the request each sends, and every byte it prints.

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
    "expires_at": "2027-01-15T10:00:00Z",
    "traffic": 0,
    "settings": {}
  },
  {
    "name": "office",
    "state": "offline",
    "address": "",
    "last_seen_at": null,
    "mappings": 0,
    "visitors": 0,
    "created_at": "2027-01-15T07:57:00Z",
    "expires_at": null,
    "traffic": 0,
    "settings": {}
  }
]
)");
}

AdminResponse limited_client() {
    AdminResponse response;
    auto& client = *response.mutable_client();
    client.set_name("home");
    client.set_state("disabled");
    client.set_created_at(test_now - 180);
    client.set_traffic(1536);
    client.set_traffic_month("2027-01");
    for (const auto& [name, value] :
         {std::pair("max_visitors", "100"), std::pair("bandwidth_out", "50Mbit")}) {
        auto& setting = *client.add_settings();
        setting.set_name(name);
        setting.add_values(value);
    }
    return response;
}

TEST_F(TunnelctlTest, ClientSetSendsWhatChangesAndShowsTheClient) {
    const auto outcome =
        run_against(limited_client(),
                    {"client", "set", "home", "--max-visitors", "100", "--bandwidth-out", "50Mbit", "--ports",
                     "2222", "--ports", "6000-6010", "--deny", "none", "--expires", "30d", "--disable"});
    ASSERT_EQ(request.request_case(), AdminRequest::kClientSet);
    const auto& set = request.client_set();
    EXPECT_EQ(set.name(), "home");
    EXPECT_TRUE(set.set_expiry());
    EXPECT_EQ(set.expires_at(), test_now + 30 * 86'400);
    std::string changes;
    for (const auto& setting : set.settings()) {
        changes += setting.name() + "=";
        for (const auto& value : setting.values()) changes += value + ",";
        changes += " ";
    }
    EXPECT_EQ(changes, "ports=2222,6000-6010, deny= max_visitors=100, bandwidth_out=50Mbit, disabled=true, ");
    EXPECT_EQ(outcome.code, 0);
    EXPECT_EQ(outcome.out,
              "name: home\nstate: disabled\naddress: -\nlast seen: -\nmappings: 0\nvisitors: 0\ncreated: 3m\n"
              "expires: never\ntraffic: 1.5 KiB in 2027-01\n"
              "settings: max_visitors=100 bandwidth_out=50Mbit\n");
}

TEST_F(TunnelctlTest, ClientSetCanTakeTheExpiryBack) {
    run_against(limited_client(), {"client", "set", "home", "--expires", "never"});
    EXPECT_TRUE(request.client_set().set_expiry());
    EXPECT_EQ(request.client_set().expires_at(), 0);
    EXPECT_EQ(request.client_set().settings_size(), 0);
}

TEST_F(TunnelctlTest, ClientSetRefusesBeforeItAsksTheServer) {
    const auto err_of = [&](std::vector<std::string> words) {
        words.insert(words.begin(), {"client", "set", "home"});
        const auto outcome = run_ctl(words);
        EXPECT_EQ(outcome.code, 2);
        return outcome.err;
    };
    EXPECT_THAT(err_of({}), HasSubstr("nothing to set"));
    EXPECT_THAT(err_of({"--bandwidth-in", "fast"}),
                HasSubstr("tunnelctl: --bandwidth-in: \"fast\" is not a speed"));
    EXPECT_THAT(err_of({"--max-visitors", "1", "--max-visitors", "2"}), HasSubstr("--max-visitors"));
    EXPECT_THAT(err_of({"--enable", "--disable"}), HasSubstr("exclude each other"));
}

TEST_F(TunnelctlTest, ClientShowAsksForOne) {
    const auto outcome = run_against(limited_client(), {"client", "show", "home", "--json"});
    ASSERT_EQ(request.request_case(), AdminRequest::kClientShow);
    EXPECT_EQ(request.client_show().name(), "home");
    EXPECT_THAT(outcome.out, HasSubstr("\"settings\": {\n    \"max_visitors\": [\n      \"100\"\n    ]"));
}

}  // namespace
}  // namespace tunnel::ctl
