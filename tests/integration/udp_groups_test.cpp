// UDP mappings with several services, and those that share their visitors, by either transport: a visitor is
// a flow.

#include <list>
#include <map>

#include "tests/integration/support/datagrams.hpp"
#include "tests/integration/support/group_test.hpp"

namespace tunnel::test {
namespace {

using testing::HasSubstr;
using Counts = std::map<std::string, int>;

// Answers with its name and what it was asked.
UdpService::Answer named(const std::string& name) {
    return [name](BytesView asked) {
        Bytes answer(name.begin(), name.end());
        append(answer, asked);
        return answer;
    };
}

// A visitor with an address of its own, thus a flow.
class Asker {
  public:
    explicit Asker(Port port) : visitor_(port) {}
    // Who answers it; empty when nobody does in time. Asks again, because any datagram may be lost.
    std::string who(Millis limit = patience) {
        const auto question = "?" + std::to_string(++asked_);
        for (const auto end = Clock::now() + limit; Clock::now() < end;) {
            (void)visitor_.send(view_of(question));
            while (const auto answer = visitor_.receive(Millis(300))) {
                const std::string text(text_of(*answer));
                // What comes late answers an earlier question.
                if (text.ends_with(question)) return text.substr(0, text.size() - question.size());
            }
        }
        return "";
    }
    bool send() { return visitor_.send(view_of("anybody?")); }

  private:
    UdpVisitor visitor_;
    int asked_ = 0;
};

class UdpGroups : public GroupTest, public testing::WithParamInterface<const char*> {
  protected:
    static std::string toml(const std::string& service, const std::string& more) {
        return "[[mapping]]\nname = \"dns\"\nudp = 0\nto = \"" + service + "\"\ntransport = \"" + GetParam() +
               "\"\n" + more + "\n";
    }
    Port expose(const UdpService& first, const std::string& more) {
        start_server();
        const auto port = start_client(toml(first.address(), more)).listening("dns");
        EXPECT_NE(port, 0);
        return port;
    }
    void add_to_group(const std::string& client, const UdpService& service, Port port, Words more = {}) {
        more.insert(more.end(), {{"udp", std::to_string(port)},
                                 {"to", service.address()},
                                 {"transport", GetParam()},
                                 {"group", "site"}});
        (void)mapping_add_with("dns", more, client);
    }
    // Two clients whose mappings share a public port.
    Port share(const UdpService& homes, const UdpService& offices, const Words& of_home = {},
               const Words& of_office = {}) {
        start_server();
        (void)link_of("home");
        (void)link_of("office");
        const auto port = free_row(1).first;
        add_to_group("home", homes, port, of_home);
        add_to_group("office", offices, port, of_office);
        home = &start_client("", "", "home");
        office = &start_client("", "", "office");
        EXPECT_EQ(home->listening("dns"), port);
        EXPECT_EQ(office->listening("dns"), port);
        return port;
    }
    // Who answers so many new flows. Their sockets stay open: the next one with the port of one that is gone
    // would not be a new flow.
    Counts served(Port port, int flows) {
        Counts counts;
        for (int i = 0; i < flows; ++i) ++counts[askers_.emplace_back(port).who()];
        return counts;
    }
    std::uint32_t flows_at(const UdpService& service, const std::string& client = "") {
        return member("dns", service.address(), client).visitors();
    }

    RunningClient* home = nullptr;
    RunningClient* office = nullptr;

  private:
    std::list<Asker> askers_;
};

TEST_P(UdpGroups, FlowsAreSharedByWeightAndKeepTheirMember) {
    const UdpService first(named("first"));
    const UdpService second(named("second"));
    const auto port = expose(first, "weight = 3\nmember = [\"" + second.address() + "\"]");
    Counts counts;
    std::vector<std::pair<Asker, std::string>> flows;
    for (int i = 0; i < 12; ++i) {
        flows.emplace_back(port, "");
        flows.back().second = flows.back().first.who();
        ++counts[flows.back().second];
    }
    EXPECT_EQ(counts, (Counts{{"first", 9}, {"second", 3}}));
    for (auto& [flow, whose] : flows) EXPECT_EQ(flow.who(), whose);
    EXPECT_EQ(first.flows(), 9u);
    EXPECT_EQ(second.flows(), 3u);
    EXPECT_EQ(flows_at(first), 9u);
    EXPECT_EQ(flows_at(second), 3u);
    EXPECT_EQ(mapping_show("dns").visitors(), 12u);
}

TEST_P(UdpGroups, FlowsOfAServiceThatDiesMoveAndTheOthersStay) {
    auto first = std::make_unique<UdpService>(named("first"));
    const UdpService second(named("second"));
    const auto dying = first->address();
    const auto port = expose(*first, "member = [\"" + second.address() + "\"]");
    Asker one(port);
    Asker other(port);
    auto& moves = one.who() == "first" ? one : other;
    auto& stays = &moves == &one ? other : one;
    ASSERT_EQ(moves.who(), "first");
    ASSERT_EQ(stays.who(), "second");

    first.reset();
    EXPECT_EQ(moves.who(), "second");
    EXPECT_EQ(stays.who(), "second");
    EXPECT_TRUE(logs.has({"server", "flow moved", "service=" + dying, "does not answer"}));
    EXPECT_THAT(mapping_show("dns").last_error(), HasSubstr("the service " + dying + " does not answer"));
    EXPECT_EQ(second.flows(), 2u);
    EXPECT_EQ(member("dns", dying).visitors(), 0u);
    EXPECT_EQ(flows_at(second), 2u);
    EXPECT_EQ(mapping_show("dns").visitors_total(), 2u);
    // Whoever meets it first once it is tried again puts it out for longer.
    EXPECT_TRUE(eventually(
        [&] { return Asker(port).who() == "second" && member("dns", dying).state() == "ejected"; }));
    EXPECT_THAT(member("dns", dying).reason(), HasSubstr("its port is closed"));
}

TEST_P(UdpGroups, ABackupServesOnlyWhileNoOtherCan) {
    auto main = std::make_unique<UdpService>(named("main"));
    const UdpService backup(named("backup"));
    const auto port = expose(*main, "member = [\"" + backup.address() + ",backup\"]");
    Asker there(port);
    EXPECT_EQ(there.who(), "main");
    EXPECT_EQ(served(port, 5), (Counts{{"main", 5}}));
    main.reset();
    EXPECT_EQ(there.who(), "backup");
    EXPECT_EQ(served(port, 5), (Counts{{"backup", 5}}));
}

TEST_P(UdpGroups, FewestFlowsAndTheVisitorsAddressChoose) {
    const UdpService first(named("first"));
    const UdpService second(named("second"));
    start_server();
    (void)link_of("home");
    for (const auto* balance : {"least_connections", "visitor_address"})
        (void)mapping_add_with(balance, {{"udp", "0"},
                                         {"to", first.address()},
                                         {"member", second.address()},
                                         {"transport", GetParam()},
                                         {"balance", balance}});
    auto& client = start_client("");
    const auto least = client.listening("least_connections");
    drain("least_connections", first.address(), true);
    EXPECT_EQ(served(least, 3), (Counts{{"second", 3}}));
    drain("least_connections", first.address(), false);
    EXPECT_EQ(served(least, 3), (Counts{{"first", 3}})) << "those of the second have not ended";
    EXPECT_EQ(served(least, 4), (Counts{{"first", 2}, {"second", 2}}));

    const auto address = client.listening("visitor_address");
    const auto mine = Asker(address).who();
    EXPECT_EQ(served(address, 6), (Counts{{mine, 6}}));
}

TEST_P(UdpGroups, ADrainedMemberKeepsItsFlowsAndGetsNoNewOnes) {
    const UdpService first(named("first"));
    auto second = std::make_unique<UdpService>(named("second"));
    const auto draining = second->address();
    const auto port = expose(first, "member = [\"" + draining + "\"]");
    Asker one(port);
    Asker other(port);
    auto& there = one.who() == "second" ? one : other;
    ASSERT_EQ(there.who(), "second");
    drain("dns", draining, true);
    EXPECT_EQ(served(port, 4), (Counts{{"first", 4}}));
    EXPECT_EQ(there.who(), "second");
    EXPECT_EQ(member("dns", draining).state(), "draining");
    // It does not keep those that it cannot serve.
    second.reset();
    EXPECT_EQ(there.who(), "first");
}

TEST_P(UdpGroups, AnotherClientTakesOverWhenOneIsGone) {
    const UdpService homes(named("home"));
    const UdpService offices(named("office"));
    const auto port = share(homes, offices);
    Asker one(port);
    Asker other(port);
    auto& moves = one.who() == "home" ? one : other;
    auto& stays = &moves == &one ? other : one;
    ASSERT_EQ(moves.who(), "home");
    ASSERT_EQ(stays.who(), "office");

    end_client(*home);
    EXPECT_EQ(moves.who(), "office");
    EXPECT_EQ(stays.who(), "office");
    EXPECT_EQ(served(port, 4), (Counts{{"office", 4}}));
    EXPECT_EQ(offices.flows(), 6u) << "nobody began anew";
    EXPECT_EQ(member("dns", homes.address(), "office").state(), "away");
    EXPECT_EQ(flows_at(homes, "office"), 0u);
    EXPECT_EQ(flows_at(offices, "office"), 6u);

    start_client("", "", "home").listening("dns");
    EXPECT_TRUE(eventually([&] { return Asker(port).who() == "home"; }));
    EXPECT_EQ(moves.who(), "office");
}

TEST_P(UdpGroups, WhomOneMappingTurnsAwayAnotherServes) {
    const UdpService homes(named("home"));
    const UdpService offices(named("office"));
    const auto port = share(homes, offices, {{"deny", "127.0.0.0/8"}}, {{"max_visitors", "3"}});
    std::vector<Asker> there;
    for (int i = 0; i < 3; ++i) EXPECT_EQ(there.emplace_back(port).who(), "office");
    Asker refused(port);
    EXPECT_TRUE(eventually([&] {
        proto::AdminRequest request;
        request.mutable_mapping_show()->set_name("dns");
        request.mutable_mapping_show()->set_client("home");
        return refused.send() && server->ask(request).mapping().refused_total() > 0;
    })) << "one turns it away by its list, the other is full";
    EXPECT_EQ(homes.flows(), 0u);
    EXPECT_EQ(offices.flows(), 3u);
}

TEST_P(UdpGroups, AFlowThatMovesCountsWhereItIs) {
    auto homes = std::make_unique<UdpService>(named("home"));
    const UdpService offices(named("office"));
    const auto port = share(*homes, offices, {}, {{"max_visitors", "1"}});
    Asker one(port);
    Asker other(port);
    ASSERT_NE(one.who(), other.who());
    auto& at_home = one.who() == "home" ? one : other;
    homes.reset();
    // The other mapping is full.
    EXPECT_EQ(at_home.who(Millis(700)), "");
    EXPECT_EQ(flows_at(offices, "office"), 1u);
    EXPECT_EQ(offices.flows(), 1u);
}

TEST_P(UdpGroups, AMappingThatIsPausedLeavesItsFlowsToTheOthers) {
    const UdpService first(named("first"));
    const UdpService second(named("second"));
    start_server();
    const auto port = std::to_string(free_row(1).first);
    const auto mapping = [&](const std::string& name, const UdpService& service) {
        return "[[mapping]]\nname = \"" + name + "\"\nudp = " + port + "\nto = \"" + service.address() +
               "\"\ntransport = \"" + GetParam() + "\"\ngroup = \"site\"\n";
    };
    auto& client = start_client(mapping("one", first) + mapping("two", second));
    ASSERT_EQ(std::to_string(client.listening("one")), port);
    ASSERT_EQ(std::to_string(client.listening("two")), port);
    Asker a(client.listening("one"));
    Asker b(client.listening("one"));
    ASSERT_NE(a.who(), b.who());
    mapping_pause("one");
    EXPECT_TRUE(eventually([&] { return a.who() == "second" && b.who() == "second"; }));
    EXPECT_TRUE(logs.has({"server", "flow closed", "mapping=one", "service=" + first.address()}));
    EXPECT_EQ(mapping_show("one").visitors(), 0u);
    EXPECT_EQ(mapping_show("two").visitors(), 2u);
    mapping_resume("one");
    EXPECT_EQ(served(client.listening("one"), 4), (Counts{{"first", 2}, {"second", 2}}));
    EXPECT_EQ(a.who(), "second");
}

// A TCP port and the UDP port of the same number.
struct CheckedUdpService {
    explicit CheckedUdpService(const std::string& name) {
        while (!udp) {
            tcp = std::make_unique<Service>(echo);
            try {
                udp = std::make_unique<UdpService>(named(name), tcp->port());
            } catch (const std::runtime_error&) {
                // Somebody has it.
            }
        }
    }
    std::unique_ptr<Service> tcp;
    std::unique_ptr<UdpService> udp;
};

TEST_P(UdpGroups, FlowsOfAMemberWhoseCheckFailsMove) {
    CheckedUdpService first("first");
    CheckedUdpService second("second");
    const auto sick = first.udp->address();
    const auto port = expose(*first.udp, "member = [\"" + second.udp->address() +
                                             "\"]\ncheck = \"tcp\"\ncheck_interval = \"100ms\"\n"
                                             "check_rise = 1\ncheck_fall = 1");
    Asker one(port);
    Asker other(port);
    auto& moves = one.who() == "first" ? one : other;
    ASSERT_EQ(moves.who(), "first");
    first.tcp.reset();
    ASSERT_TRUE(eventually([&] { return member("dns", sick).state() == "down"; }));
    EXPECT_EQ(moves.who(), "second");
    EXPECT_EQ(served(port, 4), (Counts{{"second", 4}}));
    EXPECT_THAT(member("dns", sick).reason(), HasSubstr("does not answer"));
}

TEST_P(UdpGroups, EachPortOfARangeHasItsMembers) {
    start_server();
    const auto of_first = free_row(2);
    const UdpService first_low(named("first low"), of_first.first);
    const UdpService first_high(named("first high"), of_first.last);
    const auto of_second = free_row(2);
    const UdpService second_low(named("second low"), of_second.first);
    const UdpService second_high(named("second high"), of_second.last);
    const auto ports = free_row(2);
    const auto range = [](const PortRange& row) { return to_string(row); };
    auto& client = start_client(
        "[[mapping]]\nname = \"dns\"\nudp = \"" + range(ports) + "\"\nto = \"127.0.0.1:" + range(of_first) +
        "\"\nmember = [\"127.0.0.1:" + range(of_second) + "\"]\ntransport = \"" + GetParam() + "\"\n");
    ASSERT_EQ(client.listening("dns"), ports.first);
    EXPECT_EQ(served(ports.first, 4), (Counts{{"first low", 2}, {"second low", 2}}));
    EXPECT_EQ(served(ports.last, 4), (Counts{{"first high", 2}, {"second high", 2}}));
}

INSTANTIATE_TEST_SUITE_P(Ways, UdpGroups, testing::Values("stream", "datagram"),
                         [](const auto& chosen) { return std::string(chosen.param); });

}  // namespace
}  // namespace tunnel::test
