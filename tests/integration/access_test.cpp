// Who may visit, and how much: lists, limits, speeds, and what the admin sets for a client.

#include <fstream>

#include "tests/integration/support/tunnel_test.hpp"

namespace tunnel::test {
namespace {

using testing::HasSubstr;

class AccessTest : public TunnelTest {
  protected:
    // The public port of a mapping of the client's with these lines of its [[mapping]].
    Port expose(const Service& service, const std::string& lines) {
        auto& client = start_client(mapping_toml("service", service.address()) + lines);
        return client.listening("service");
    }
    std::uint64_t refusals(const std::string& reason) { return refusals_of("service", reason); }
    static bool is_served(Port port, const std::string& address = "127.0.0.1") {
        auto visitor = Peer::connect_from(address, port);
        visitor.send("x");
        return visitor.receive_text(1) == "x";
    }
    using Settings = std::vector<std::pair<std::string, std::vector<std::string>>>;
    proto::AdminRequest client_set(const Settings& settings) {
        proto::AdminRequest request;
        auto& set = *request.mutable_client_set();
        set.set_name("home");
        for (const auto& [name, values] : settings) {
            auto& setting = *set.add_settings();
            setting.set_name(name);
            for (const auto& value : values) setting.add_values(value);
        }
        return request;
    }
    proto::ClientInfo set(const Settings& settings) {
        const auto answer = server->ask(client_set(settings));
        EXPECT_TRUE(answer.has_client()) << answer.error().message();
        return answer.client();
    }
    proto::ClientInfo client_show() {
        proto::AdminRequest request;
        request.mutable_client_show()->set_name("home");
        return server->ask(request).client();
    }
    Service service_{echo};
};

TEST_F(AccessTest, WhoIsDeniedIsResetAndCounted) {
    start_server();
    const auto port = expose(service_, "deny = [\"127.0.0.1\"]\n");
    ASSERT_NE(port, 0);
    auto visitor = Peer::connect(port);
    EXPECT_EQ(visitor.receive_all().end, End::reset);
    EXPECT_TRUE(eventually([&] { return refusals("denied") == 1; }));
    EXPECT_TRUE(is_served(port, "127.0.0.2")) << "the others are let in";
    EXPECT_EQ(mapping_show("service").refused_total(), 1u);
    EXPECT_EQ(mapping_show("service").visitors_total(), 1u);
}

TEST_F(AccessTest, ANamedListIsReadAgainWhenItChanges) {
    const auto list = (folder / "office.list").string();
    const auto write = [&](const std::string& text) {
        std::ofstream(list + ".new") << text;
        std::filesystem::rename(list + ".new", list);
    };
    write("# the office\n192.0.2.0/24\n");
    start_server("[[list]]\nname = \"office\"\nfile = \"" + list + "\"\n");
    const auto port = expose(service_, "allow = [\"list:office\"]\n");
    ASSERT_NE(port, 0);
    EXPECT_EQ(Peer::connect(port).receive_all().end, End::reset);
    write("nonsense\n");
    EXPECT_TRUE(eventually([&] { return logs.has({"list not taken", "line 1", "office"}); }));
    EXPECT_EQ(Peer::connect(port).receive_all().end, End::reset);
    write("127.0.0.0/8\n");
    EXPECT_TRUE(eventually([&] { return logs.has({"list read", "entries=1"}); }));
    EXPECT_TRUE(eventually([&] { return is_served(port); }));
}

TEST_F(AccessTest, AListThatTheServerDoesNotHaveIsRefusedWithASentence) {
    start_server();
    auto& client = start_client(mapping_toml("service", service_.address()) + "deny = [\"list:gone\"]\n");
    EXPECT_TRUE(eventually([&] { return client.state("service").state == "refused"; }));
    EXPECT_THAT(client.state("service").error, HasSubstr("there is no list \"gone\" here"));
    const auto error = mapping_refused("other", {{"tcp", "0"}, {"to", "80"}, {"allow", "list:gone"}});
    EXPECT_EQ(error.code(), "not_found");
}

TEST_F(AccessTest, VisitorsAtOnceAndASecondAreLimited) {
    start_server();
    const auto port = expose(service_, "max_visitors = 2\n");
    ASSERT_NE(port, 0);
    auto first = Peer::connect(port);
    auto second = Peer::connect(port);
    for (auto* peer : {&first, &second}) {
        peer->send("x");
        ASSERT_EQ(peer->receive_text(1), "x");
    }
    EXPECT_EQ(Peer::connect(port).receive_all().end, End::reset);
    EXPECT_TRUE(eventually([&] { return refusals("at_once") == 1; }));
    first.finish();
    EXPECT_EQ(first.receive_all().end, End::orderly);
    EXPECT_TRUE(eventually([&] {
        auto next = Peer::connect(port);
        next.send("x");
        return next.receive_text(1) == "x";
    })) << "a visitor who went made room";
}

TEST_F(AccessTest, NewVisitorsASecondAreLimited) {
    start_server();
    const auto port = expose(service_, "visitors_per_second_per_address = 1\n");
    ASSERT_NE(port, 0);
    EXPECT_TRUE(is_served(port));
    EXPECT_TRUE(eventually([&] { return !is_served(port) && refusals("address_rate") >= 1; }));
    EXPECT_TRUE(is_served(port, "127.0.0.2")) << "another address has a rate of its own";
    EXPECT_TRUE(eventually([&] { return is_served(port); })) << "after a second there is room again";
}

TEST_F(AccessTest, BandwidthIsKeptToAndChangedByReload) {
    start_server();
    auto& client = start_client(mapping_toml("service", service_.address()) + "bandwidth_in = \"2MB\"\n");
    const auto port = client.listening("service");
    ASSERT_NE(port, 0);
    const auto data = pattern(1'000'000);
    const auto time_of = [&] {
        auto visitor = Peer::connect(port);
        const auto start = Clock::now();
        EXPECT_EQ(send_and_receive(visitor, data).bytes, data);
        return std::chrono::duration<double>(Clock::now() - start).count();
    };
    EXPECT_GE(time_of(), 0.44) << "a million bytes, less the burst, at two million a second";
    client.write_config(mapping_toml("service", service_.address()) + "bandwidth_in = \"100MB\"\n");
    client.request_reload();
    EXPECT_TRUE(eventually([&] { return mapping_show("service").spec().options(0).value() == "100MB"; }));
    EXPECT_TRUE(eventually([&] { return time_of() < 0.44; }));
}

TEST_F(AccessTest, AClientsSettingsApplyToItsRunningSession) {
    start_server();
    const auto port = expose(service_, "");
    ASSERT_NE(port, 0);
    auto running = Peer::connect(port);
    running.send("x");
    ASSERT_EQ(running.receive_text(1), "x");
    const auto info = set({{"deny", {"127.0.0.1"}}, {"max_visitors", {"5"}}});
    EXPECT_EQ(info.settings_size(), 2);
    EXPECT_EQ(Peer::connect(port).receive_all().end, End::reset);
    running.send("y");
    EXPECT_EQ(running.receive_text(1), "y") << "who is there stays";
    set({{"deny", {}}});
    EXPECT_TRUE(is_served(port));
    EXPECT_EQ(server->ask(client_set({{"allow", {"list:gone"}}})).error().code(), "not_found");
    EXPECT_EQ(server->ask(client_set({{"tea", {"5pm"}}})).error().code(), "invalid");
    EXPECT_EQ(client_show().settings_size(), 1);
}

TEST_F(AccessTest, PortsNamesKindsAndTheNumberOfMappingsAreFenced) {
    start_server();
    auto& client =
        start_client(mapping_toml("a", service_.address()) + mapping_toml("b", service_.address()));
    ASSERT_NE(client.listening("a"), 0);
    ASSERT_NE(client.listening("b"), 0);
    const auto refused_as = [&](const std::string& name, const std::string& words) {
        return eventually([&] {
            const auto state = client.state(name);
            return state.state == "refused" && state.error.find(words) != std::string::npos;
        });
    };
    set({{"max_mappings", {"1"}}});
    EXPECT_TRUE(refused_as("b", "may have 1 mapping:"));
    EXPECT_EQ(client.state("a").state, "listening");
    set({{"max_mappings", {}}, {"names", {"b*"}}});
    EXPECT_TRUE(refused_as("a", "may not name a mapping \"a\""));
    EXPECT_NE(client.listening("b"), 0);
    set({{"names", {}}, {"kinds", {"udp"}}});
    EXPECT_TRUE(refused_as("b", "may not have tcp mappings"));
    const auto row = free_row(1);
    set({{"kinds", {}}, {"ports", {std::to_string(row.first)}}});
    EXPECT_TRUE(
        eventually([&] { return client.listening("a") == row.first || client.listening("b") == row.first; }));
    set({{"ports", {}}});
    EXPECT_NE(client.listening("a"), 0);
    EXPECT_NE(client.listening("b"), 0);
}

TEST_F(AccessTest, ADisabledClientIsBackWhenItIsEnabled) {
    start_server();
    auto& client = start_client(mapping_toml("service", service_.address()));
    const auto port = client.listening("service");
    ASSERT_NE(port, 0);
    auto visitor = Peer::connect(port);
    visitor.send("x");
    ASSERT_EQ(visitor.receive_text(1), "x");
    EXPECT_EQ(set({{"disabled", {"true"}}}).state(), "disabled");
    EXPECT_EQ(visitor.receive_all().end, End::reset);
    EXPECT_EQ(session_list().sessions_size(), 0);
    EXPECT_TRUE(eventually([&] { return logs.has({"login refused", "disabled"}); }));
    set({{"disabled", {}}});
    // The client's own words may still be those of before.
    EXPECT_TRUE(eventually([&] {
        const auto list = mapping_list();
        return list.mappings_size() == 1 && list.mappings(0).state() == "listening";
    }));
    EXPECT_TRUE(is_served(static_cast<Port>(mapping_show("service").port())));
}

TEST_F(AccessTest, AQuotaEndsVisitorsAndIsRememberedAcrossARestart) {
    start_server();
    auto& client = start_client(mapping_toml("service", service_.address()));
    const auto port = client.listening("service");
    ASSERT_NE(port, 0);
    set({{"monthly_traffic", {"1MB"}}});
    const auto data = pattern(600'000);
    auto visitor = Peer::connect(port);
    visitor.send(data);
    EXPECT_TRUE(eventually([&] { return logs.has({"traffic quota used up", "client=home"}); }));
    EXPECT_NE(visitor.receive_all().end, End::orderly);
    EXPECT_EQ(Peer::connect(port).receive_all().end, End::reset);
    EXPECT_TRUE(eventually([&] { return refusals("quota") >= 1; }));
    EXPECT_GE(client_show().traffic(), 1'000'000u);
    end_client(client);
    start_server();
    EXPECT_GE(client_show().traffic(), 1'000'000u);
    EXPECT_EQ(client_show().settings(0).name(), "monthly_traffic");
}

}  // namespace
}  // namespace tunnel::test
