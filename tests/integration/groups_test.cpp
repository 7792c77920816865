// Mappings with several services, and mappings that share their visitors.

#include <atomic>
#include <thread>

#include "tests/integration/support/group_test.hpp"

namespace tunnel::test {
namespace {

using testing::HasSubstr;

// Says who it is and then sends back what comes.
Service::Handler named(const std::string& name) {
    return [name](Peer& visitor) {
        visitor.send(name);
        echo(visitor);
    };
}

std::string member_line(const std::string& service) {
    return "member = [\"" + service + "\"]\n";
}

// Who serves the next visitor; empty when nobody does. Its connection ends well.
std::string served_by(Port port) {
    auto visitor = Peer::connect(port);
    visitor.send("x");
    visitor.finish();
    const auto got = visitor.receive_all();
    const auto text = std::string(text_of(got.bytes));
    if (got.end != End::orderly || text.empty() || text.back() != 'x') return "";
    return text.substr(0, text.size() - 1);
}

std::map<std::string, int> served(Port port, int visitors) {
    std::map<std::string, int> counts;
    for (int i = 0; i < visitors; ++i) ++counts[served_by(port)];
    return counts;
}

class Groups : public GroupTest {
  protected:
    std::uint64_t refusals(const std::string& mapping, const std::string& reason) {
        const auto shown = mapping_show(mapping);
        for (const auto& refusal : shown.refusals()) {
            if (refusal.reason() == reason) return refusal.count();
        }
        return 0;
    }
    void set_groups(const std::string& client, const std::vector<std::string>& groups) {
        proto::AdminRequest request;
        request.mutable_client_set()->set_name(client);
        auto& setting = *request.mutable_client_set()->add_settings();
        setting.set_name("groups");
        for (const auto& group : groups) setting.add_values(group);
        const auto answer = server->ask(request);
        EXPECT_FALSE(answer.has_error()) << answer.error().message();
    }
    int member_count(const std::string& client) {
        proto::AdminRequest request;
        request.mutable_mapping_show()->set_name("web");
        request.mutable_mapping_show()->set_client(client);
        return server->ask(request).mapping().members_size();
    }
    void add_to_group(const std::string& name, const std::string& client, const std::string& service,
                      Port port, const std::string& group, const Words& words = {}) {
        proto::AdminRequest request;
        auto& add = *request.mutable_mapping_add();
        add.set_client(client);
        add.mutable_spec()->set_name(name);
        add.mutable_spec()->set_tcp(port);
        add.mutable_spec()->set_service(service);
        add.mutable_spec()->set_encrypt(true);
        auto all = words;
        all.emplace_back("group", group);
        for (const auto& [word, value] : all) {
            auto& option = *add.mutable_spec()->add_options();
            option.set_name(word);
            option.set_value(value);
        }
        const auto answer = server->ask(request);
        EXPECT_FALSE(answer.has_error()) << answer.error().message();
    }
};

TEST_F(Groups, VisitorsAreSharedAndNoneIsRefusedWhenAServiceDies) {
    auto first = std::make_unique<Service>(named("first"));
    const Service second(named("second"));
    const auto dying = first->address();
    start_server();
    const auto port =
        start_client(mapping_toml("web", first->address()) + member_line(second.address())).listening("web");
    ASSERT_NE(port, 0);
    EXPECT_EQ(served(port, 20), (std::map<std::string, int>{{"first", 10}, {"second", 10}}));

    first.reset();
    // Nobody has told the server.
    std::atomic<int> served_well{0};
    std::vector<std::thread> visitors;
    for (int thread = 0; thread < 8; ++thread) {
        visitors.emplace_back([&] {
            for (int i = 0; i < 25; ++i) served_well += served_by(port) == "second" ? 1 : 0;
        });
    }
    for (auto& thread : visitors) thread.join();
    EXPECT_EQ(served_well, 200);
    EXPECT_TRUE(logs.has({"server", "visitor moved", dying, "does not answer"}));
    EXPECT_EQ(mapping_show("web").refused_total(), 0u);
    EXPECT_TRUE(
        eventually([&] { return served_by(port) == "second" && member("web", dying).state() == "ejected"; }));
    EXPECT_THAT(member("web", dying).reason(), HasSubstr("does not answer"));
    // Most never met the dead one.
    EXPECT_LT(logs.count({"server", "visitor moved"}), 100u);
    EXPECT_TRUE(idle());
    EXPECT_EQ(member("web", dying).visitors(), 0u);
    EXPECT_EQ(member("web", second.address()).visitors(), 0u);
}

TEST_P(BothModes, AMovedVisitorKeepsEveryByteItSentToAServiceThatRefused) {
    const auto nobody = refuse_on_loopback();
    const Service service(echo);
    start_server();
    const auto dead = "127.0.0.1:" + std::to_string(nobody.port);
    const auto port = start_client(mapping_toml("web", dead, encrypted()) + member_line(service.address()))
                          .listening("web");
    ASSERT_NE(port, 0);
    for (const std::size_t size : {1, 5'000, 60'000, 3'000'000}) {
        auto visitor = Peer::connect(port);
        const auto bytes = pattern(size, size);
        const auto got = send_and_receive(visitor, bytes);
        EXPECT_EQ(got.end, End::orderly) << size;
        EXPECT_TRUE(got.bytes == bytes) << size;
    }
    EXPECT_TRUE(logs.has({"server", "visitor moved"}));
    EXPECT_EQ(mapping_show("web").refused_total(), 0u);
}

TEST_P(BothModes, AVisitorIsRefusedOnceEveryMemberWasTried) {
    const auto one = refuse_on_loopback();
    const auto two = refuse_on_loopback();
    start_server();
    const auto port = start_client(mapping_toml("web", "127.0.0.1:" + std::to_string(one.port), encrypted()) +
                                   member_line("127.0.0.1:" + std::to_string(two.port)))
                          .listening("web");
    ASSERT_NE(port, 0);
    for (int i = 1; i <= 3; ++i) {
        auto visitor = Peer::connect(port);
        visitor.send("hello");
        EXPECT_EQ(visitor.receive_all().end, End::reset);
        EXPECT_TRUE(eventually([&] {
            return logs.count({"server", "visitor moved"}) == static_cast<std::size_t>(i);
        }));
    }
    EXPECT_TRUE(idle());
    EXPECT_TRUE(eventually([&] { return mapping_show("web").refused_total() == 3; }));
}

TEST_F(Groups, ABackupServesOnlyWhileNoOtherCan) {
    auto main = std::make_unique<Service>(named("main"));
    const Service backup(named("backup"));
    start_server();
    const auto port =
        start_client(mapping_toml("web", main->address()) + member_line(backup.address() + ",backup"))
            .listening("web");
    EXPECT_EQ(served(port, 6), (std::map<std::string, int>{{"main", 6}}));
    main.reset();
    EXPECT_EQ(served(port, 6), (std::map<std::string, int>{{"backup", 6}}));
    EXPECT_TRUE(member("web", backup.address()).backup());
}

TEST_F(Groups, OneAddressKeepsItsMemberUntilThatDies) {
    auto first = std::make_unique<Service>(named("first"));
    auto second = std::make_unique<Service>(named("second"));
    start_server();
    const auto port = start_client(mapping_toml("web", first->address()) + member_line(second->address()) +
                                   "balance = \"visitor_address\"\n")
                          .listening("web");
    const auto mine = served_by(port);
    ASSERT_FALSE(mine.empty());
    EXPECT_EQ(served(port, 10), (std::map<std::string, int>{{mine, 10}}));
    (mine == "first" ? first : second).reset();
    EXPECT_EQ(served(port, 10), (std::map<std::string, int>{{mine == "first" ? "second" : "first", 10}}));
}

TEST_F(Groups, ADrainedMemberKeepsItsVisitorsAndGetsNoNewOnes) {
    const Service first(named("first"));
    const Service second(named("second"));
    start_server();
    (void)link_of("home");
    mapping_add_with("web", {{"to", first.address()}, {"member", second.address()}});
    auto& client = start_client("");
    const auto port = client.listening("web");
    ASSERT_NE(port, 0);
    auto there = Peer::connect(port);
    ASSERT_EQ(there.receive_text(5), "first");
    EXPECT_EQ(member("web", first.address()).visitors(), 1u);

    drain("web", first.address(), true);
    EXPECT_EQ(served(port, 6), (std::map<std::string, int>{{"second", 6}}));
    there.send("still");
    EXPECT_EQ(there.receive_text(5), "still");
    EXPECT_EQ(member("web", first.address()).state(), "draining");

    drain("web", second.address(), true);
    EXPECT_EQ(served(port, 2), (std::map<std::string, int>{{"", 2}}));
    EXPECT_EQ(mapping_show("web").refused_total(), 2u);
    EXPECT_EQ(refusals("web", "drained"), 2u);

    drain("web", first.address(), false);
    EXPECT_EQ(served(port, 6), (std::map<std::string, int>{{"first", 6}}));
    // What the admin wants outlives the server.
    server.reset();
    start_server();
    EXPECT_EQ(member("web", second.address()).state(), "draining");
    EXPECT_NE(member("web", first.address()).state(), "draining");
}

TEST_F(Groups, ADrainNamesAMemberThatIsThere) {
    start_server();
    (void)link_of("home");
    mapping_add("plain", "127.0.0.1:1");
    mapping_add_with("web", {{"to", "127.0.0.1:1"}, {"member", "127.0.0.1:2"}});
    proto::AdminRequest request;
    request.mutable_mapping_drain()->mutable_mapping()->set_name("plain");
    request.mutable_mapping_drain()->set_member("127.0.0.1:1");
    EXPECT_THAT(refused(request).message(), HasSubstr("tunnelctl mapping pause home/plain"));
    request.mutable_mapping_drain()->mutable_mapping()->set_name("web");
    request.mutable_mapping_drain()->set_member("127.0.0.1:3");
    EXPECT_EQ(refused(request).code(), "not_found");
    EXPECT_THAT(refused(request).message(), HasSubstr("it has 127.0.0.1:1, 127.0.0.1:2"));
}

TEST_F(Groups, TwoClientsShareAnEndpointAndOneMayDie) {
    const Service first(named("first"));
    const Service second(named("second"));
    start_server();
    (void)link_of("home");
    (void)link_of("office");
    const auto port = free_row(1).first;
    add_to_group("web", "home", first.address(), port, "site");
    add_to_group("web", "office", second.address(), port, "site");
    auto& home = start_client("", "", "home");
    auto& office = start_client("", "", "office");
    ASSERT_EQ(home.listening("web"), port);
    ASSERT_EQ(office.listening("web"), port);
    EXPECT_EQ(served(port, 10), (std::map<std::string, int>{{"first", 5}, {"second", 5}}));

    end_client(home);
    EXPECT_EQ(served(port, 20), (std::map<std::string, int>{{"second", 20}}));
    proto::AdminRequest request;
    request.mutable_mapping_show()->set_name("web");
    request.mutable_mapping_show()->set_client("office");
    const auto shown = server->ask(request).mapping();
    ASSERT_EQ(shown.members_size(), 2);
    EXPECT_EQ(shown.members(0).client(), "home");
    EXPECT_EQ(shown.members(0).state(), "away");
    EXPECT_EQ(shown.members(1).state(), "up");

    // The other one as well: the endpoint stays open within the grace time, and who comes back serves.
    start_client("", "", "home").listening("web");
    end_client(office);
    EXPECT_TRUE(eventually([&] { return served_by(port) == "first"; }));
    EXPECT_EQ(served(port, 6), (std::map<std::string, int>{{"first", 6}}));
}

TEST_F(Groups, WhoWaitsForOneClientIsServedByAnotherThatComesBackFirst) {
    const Service first(named("first"));
    const Service second(named("second"));
    start_server();
    (void)link_of("home");
    (void)link_of("office");
    const auto port = free_row(1).first;
    add_to_group("web", "home", first.address(), port, "site");
    add_to_group("web", "office", second.address(), port, "site");
    auto& home = start_client("", "", "home");
    auto& office = start_client("", "", "office");
    ASSERT_EQ(home.listening("web"), port);
    ASSERT_EQ(office.listening("web"), port);
    end_client(home);
    end_client(office);
    ASSERT_TRUE(eventually([&] { return session_list().sessions().empty(); }));
    // By turns, so that one waits for each.
    auto one = Peer::connect(port);
    auto two = Peer::connect(port);
    start_client("", "", "office");
    EXPECT_EQ(one.receive_text(6), "second");
    EXPECT_EQ(two.receive_text(6), "second");
}

TEST_F(Groups, AClientsOwnConfigSharesWithAnotherClientOnlyIfTheAdminSaysSo) {
    const Service service(named("mine"));
    start_server();
    const auto port = free_row(1).first;
    const auto config = mapping_toml("web", service.address(), true, port) + "group = \"site\"\n";
    ASSERT_EQ(start_client(config, "", "home").listening("web"), port);
    auto& other = start_client(config, "", "office");
    ASSERT_TRUE(eventually([&] { return other.state("web").state == "refused"; }));
    EXPECT_THAT(other.state("web").error, HasSubstr("tunnelctl client set office --groups site"));
    EXPECT_EQ(served_by(port), "mine");

    set_groups("office", {"si*"});
    ASSERT_TRUE(eventually([&] { return other.state("web").error.find("set home") != std::string::npos; }));
    set_groups("home", {"site"});
    ASSERT_TRUE(eventually([&] { return other.state("web").state == "listening"; }));
    EXPECT_EQ(member_count("office"), 2);
    EXPECT_EQ(served(port, 4), (std::map<std::string, int>{{"mine", 4}}));

    set_groups("office", {});
    ASSERT_TRUE(eventually([&] { return other.state("web").state == "refused"; }));
    EXPECT_EQ(member_count("home"), 1);
    EXPECT_EQ(served(port, 4), (std::map<std::string, int>{{"mine", 4}}));
}

TEST_F(Groups, WhomOneMappingTurnsAwayAnotherServes) {
    const Service first(named("first"));
    const Service second(named("second"));
    start_server();
    (void)link_of("home");
    (void)link_of("office");
    const auto port = free_row(1).first;
    add_to_group("web", "home", first.address(), port, "site", {{"deny", "127.0.0.0/8"}});
    add_to_group("web", "office", second.address(), port, "site", {{"max_visitors", "1"}});
    ASSERT_EQ(start_client("", "", "home").listening("web"), port);
    ASSERT_EQ(start_client("", "", "office").listening("web"), port);
    // One who has ended counts for a moment more.
    for (int i = 0; i < 4; ++i) EXPECT_TRUE(eventually([&] { return served_by(port) == "second"; }));
    Peer there{net::UniqueFd()};
    ASSERT_TRUE(eventually([&] {
        there = Peer::connect(port);
        return there.receive_text(6) == "second";
    }));
    EXPECT_EQ(served_by(port), "") << "one turns it away by its list, the other is full";
}

TEST_F(Groups, AVisitorThatMovesToAnotherMappingCountsThereAndNoLongerHere) {
    const auto nobody = refuse_on_loopback();
    const Service service(named("second"));
    start_server();
    (void)link_of("home");
    (void)link_of("office");
    const auto port = free_row(1).first;
    const auto dead = "127.0.0.1:" + std::to_string(nobody.port);
    add_to_group("web", "home", dead, port, "site", {{"max_visitors", "1"}});
    add_to_group("web", "office", service.address(), port, "site", {{"max_visitors", "1"}});
    ASSERT_EQ(start_client("", "", "home").listening("web"), port);
    ASSERT_EQ(start_client("", "", "office").listening("web"), port);
    auto there = Peer::connect(port);
    ASSERT_EQ(there.receive_text(6), "second");
    // The dead one has room, and who meets it finds none at the other.
    EXPECT_EQ(served(port, 3), (std::map<std::string, int>{{"", 3}}));
    there.finish();
    (void)there.receive_all();
    ASSERT_TRUE(idle());
    EXPECT_TRUE(eventually([&] { return served_by(port) == "second"; }));
}

TEST_F(Groups, MappingsOfOneClientShareAnEndpointAndNoOther) {
    const Service first(named("first"));
    const Service second(named("second"));
    start_server();
    const auto port = free_row(1).first;
    const auto in_group = [&](const std::string& name, const Service& service, Port at) {
        return mapping_toml(name, service.address(), true, at) + "group = \"site\"\n";
    };
    auto& client = start_client(in_group("one", first, port) + in_group("two", second, port));
    ASSERT_EQ(client.listening("one"), port);
    ASSERT_EQ(client.listening("two"), port);
    EXPECT_EQ(served(port, 4), (std::map<std::string, int>{{"first", 2}, {"second", 2}}));
    mapping_pause("one");
    EXPECT_EQ(served(port, 4), (std::map<std::string, int>{{"second", 4}}));
    mapping_resume("one");
    EXPECT_EQ(served(port, 4), (std::map<std::string, int>{{"first", 2}, {"second", 2}}));

    client.write_config(in_group("one", first, port));
    client.request_reload();
    ASSERT_TRUE(eventually([&] { return client.state("two").name.empty(); }));
    EXPECT_EQ(served(port, 4), (std::map<std::string, int>{{"first", 4}}));
    const auto elsewhere = static_cast<Port>(free_row(1).first);
    client.write_config(in_group("one", first, port) + in_group("two", second, elsewhere));
    client.request_reload();
    ASSERT_TRUE(eventually([&] { return client.state("two").state == "refused"; }));
    EXPECT_THAT(client.state("two").error, HasSubstr("name the same one, or another group"));
}

}  // namespace
}  // namespace tunnel::test
