// Checks by the client, and what they mean for visitors.

#include <atomic>
#include <mutex>
#include <set>

#include "tests/integration/support/tunnel_test.hpp"

namespace tunnel::test {
namespace {

using testing::HasSubstr;

// Answers GET with a status that can be changed.
class WebService {
  public:
    explicit WebService(const std::string& name)
        : service_([this, name](Peer& peer) {
              (void)peer.receive_some(4096);
              ++asked_;
              peer.send("HTTP/1.1 " + std::to_string(status_) +
                        " Whatever\r\nContent-Length: " + std::to_string(name.size()) + "\r\n\r\n" + name);
              peer.finish();
          }) {}
    std::string address() const { return service_.address(); }
    std::size_t asked() const { return asked_; }
    void answer(int status) { status_ = status; }

  private:
    std::atomic<int> status_{200};
    std::atomic<std::size_t> asked_{0};
    Service service_;
};

const std::string checked =
    "check = \"http\"\ncheck_path = \"/health\"\ncheck_interval = \"100ms\"\ncheck_rise = 1\ncheck_fall = "
    "2\n";

std::string visit(Port port) {
    auto visitor = Peer::connect(port);
    visitor.send("GET / HTTP/1.1\r\n\r\n");
    const auto answer = std::string(text_of(visitor.receive_all().bytes));
    const auto body = answer.find("\r\n\r\n");
    return body == std::string::npos ? "" : answer.substr(body + 4);
}

class Health : public TunnelTest {
  protected:
    std::string state(const std::string& service) {
        const auto shown = mapping_show("web");
        for (const auto& one : shown.members()) {
            if (one.service() != service) continue;
            reason = one.reason();
            return one.state();
        }
        return "";
    }
    std::string reason;
};

TEST_F(Health, AServiceThatFailsItsCheckGetsNoVisitorsUntilItIsWell) {
    WebService first("first");
    const WebService second("second");
    start_server();
    const auto port = start_client(mapping_toml("web", first.address()) + "member = [\"" + second.address() +
                                   "\"]\n" + checked)
                          .listening("web");
    ASSERT_NE(port, 0);
    EXPECT_EQ(visit(port), "first");
    EXPECT_EQ(visit(port), "second");

    first.answer(500);
    ASSERT_TRUE(eventually([&] { return state(first.address()) == "down"; }));
    EXPECT_THAT(reason, HasSubstr("GET /health was answered with status 500, 200 to 399 is expected"));
    EXPECT_TRUE(logs.has({"server", "member down", first.address(), "status 500"}));
    EXPECT_TRUE(logs.has({"client1", "service down", first.address()}));
    for (int i = 0; i < 6; ++i) EXPECT_EQ(visit(port), "second");

    first.answer(204);
    ASSERT_TRUE(eventually([&] { return state(first.address()) == "up"; }));
    EXPECT_EQ(reason, "");
    EXPECT_TRUE(logs.has({"server", "member up", first.address()}));
    std::set<std::string> both{visit(port), visit(port)};
    EXPECT_EQ(both, (std::set<std::string>{"first", "second"}));
}

TEST_F(Health, WhatIsKnownIsToldAgainAfterAReconnect) {
    WebService service("web");
    start_server();
    start_proxy();
    (void)link_of("home");
    mapping_add_with(
        "web",
        {{"to", service.address()}, {"member", "127.0.0.1:9"}, {"check", "http"}, {"check_interval", "1h"}});
    service.answer(503);
    auto& client = start_client("");
    ASSERT_NE(client.listening("web"), 0);
    ASSERT_TRUE(eventually([&] { return state(service.address()) == "down"; }));
    const auto asked = service.asked();
    server.reset();
    start_server();
    proxy->set_upstream(server->port());
    EXPECT_TRUE(eventually([&] { return state(service.address()) == "down"; }));
    EXPECT_EQ(service.asked(), asked) << "the check goes on as it was";
}

TEST_F(Health, ChecksThatAreTakenBackHoldNothingAgainstAService) {
    WebService service("web");
    service.answer(500);
    start_server();
    const auto plain = mapping_toml("web", service.address()) + "member = [\"127.0.0.1:9\"]\n";
    auto& client = start_client(plain + checked);
    ASSERT_NE(client.listening("web"), 0);
    ASSERT_TRUE(eventually([&] { return state(service.address()) == "down"; }));
    client.write_config(plain);
    client.request_reload();
    EXPECT_TRUE(eventually([&] { return state(service.address()) == "up"; }));
}

TEST_F(Health, AServiceThatExpectsAProxyHeaderGetsOneWithItsCheck) {
    std::mutex mutex;
    std::string first_line;
    const Service service([&](Peer& peer) {
        const auto got = std::string(text_of(peer.receive_some(4096)));
        const auto end = got.find("\r\n");
        const std::lock_guard lock(mutex);
        if (first_line.empty()) first_line = got.substr(0, end);
        peer.send("HTTP/1.1 200 Fine\r\n\r\n");
    });
    start_server();
    auto& client =
        start_client(mapping_toml("web", service.address()) + "proxy_protocol = \"v1\"\n" + checked);
    ASSERT_NE(client.listening("web"), 0);
    EXPECT_TRUE(eventually([&] {
        const std::lock_guard lock(mutex);
        return first_line == "PROXY UNKNOWN";
    }));
    EXPECT_TRUE(eventually([&] { return state(service.address()) == "up"; }));
}

TEST_F(Health, AServiceThatTheClientDoesNotAllowIsNotChecked) {
    const WebService own("own");
    const WebService foreign("foreign");
    start_server();
    auto& client = start_client("allow = [\"" + own.address() + "\"]\n");
    ASSERT_TRUE(eventually([&] { return session_list().sessions_size() == 1; }));
    mapping_add_with("web", {{"to", own.address()},
                             {"member", foreign.address()},
                             {"check", "http"},
                             {"check_interval", "100ms"}});
    ASSERT_TRUE(eventually([&] { return client.state("web").state == "refused"; }));
    EXPECT_THAT(mapping_show("web").last_error(), HasSubstr("does not allow " + foreign.address()));
    EXPECT_EQ(foreign.asked(), 0u);
}

}  // namespace
}  // namespace tunnel::test
