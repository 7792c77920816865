// Many visitors: at once, one after the other, and what is left of them.

#include <dirent.h>

#include <climits>
#include <cstdlib>

#include "tests/integration/support/tunnel_test.hpp"

namespace tunnel::test {
namespace {

// This process's open descriptors whose target begins with `kind`: "socket:", "pipe:".
std::size_t descriptors(std::string_view kind) {
    std::size_t count = 0;
    DIR* folder = ::opendir("/proc/self/fd");
    while (const dirent* entry = ::readdir(folder)) {
        char target[PATH_MAX];
        const auto path = std::string("/proc/self/fd/") + entry->d_name;
        const auto size = ::readlink(path.c_str(), target, sizeof target);
        if (size > 0 &&
            std::string_view(target, static_cast<std::size_t>(size)).substr(0, kind.size()) == kind)
            ++count;
    }
    ::closedir(folder);
    return count;
}

TEST_P(BothModes, TwoHundredVisitorsAtOnceAreServedEachItsOwnBytes) {
    constexpr std::size_t visitors = 200;
    const Service service(echo);
    start_server();
    const auto port = expose(service);
    ASSERT_NE(port, 0);
    std::vector<Peer> peers;
    for (std::size_t i = 0; i < visitors; ++i) peers.push_back(Peer::connect(port));
    for (std::size_t i = 0; i < visitors; ++i) ASSERT_TRUE(peers[i].send(pattern(5000, i)));
    // All of them are there at the same time.
    EXPECT_TRUE(eventually([&] { return status().visitors() == visitors; }));
    EXPECT_EQ(connection_list().connections_size(), static_cast<int>(visitors));
    for (std::size_t i = 0; i < visitors; ++i) {
        peers[i].finish();
        const auto received = peers[i].receive_all();
        EXPECT_EQ(received.end, End::orderly) << "visitor " << i;
        EXPECT_TRUE(received.bytes == pattern(5000, i)) << "visitor " << i;
    }
    EXPECT_TRUE(idle());
    EXPECT_EQ(status().visitors_total(), visitors);
    EXPECT_EQ(status().refused_tickets(), 0u);
    EXPECT_EQ(mapping_show("service").bytes_in(), visitors * 5000);
}

TEST_P(BothModes, TwoThousandShortVisitorsLeaveNoDescriptor) {
    constexpr int rounds = 250;
    constexpr int at_once = 8;
    const auto pipes_before = descriptors("pipe:");
    const Service service(echo);
    start_server();
    const auto port = expose(service);
    ASSERT_NE(port, 0);
    const auto round = [&](int number) {
        std::vector<Peer> peers;
        for (int i = 0; i < at_once; ++i) peers.push_back(Peer::connect(port));
        for (auto& peer : peers) {
            peer.send(std::to_string(number));
            peer.finish();
        }
        int served = 0;
        for (auto& peer : peers)
            served += text_of(peer.receive_all().bytes) == std::to_string(number) ? 1 : 0;
        return served;
    };
    EXPECT_EQ(round(0), at_once);
    ASSERT_TRUE(idle());
    ASSERT_TRUE(eventually([&] { return service.running() == 0; }));
    const auto sockets_before = descriptors("socket:");
    int served = 0;
    for (int i = 1; i <= rounds; ++i) served += round(i);
    EXPECT_EQ(served, rounds * at_once);
    EXPECT_TRUE(idle());
    // Data connections that were ready for more visitors are closed when none come.
    EXPECT_TRUE(eventually([&] { return descriptors("socket:") <= sockets_before; }, Seconds(80)))
        << "before " << sockets_before << ", now " << descriptors("socket:");
    // Idle pipes are kept for reuse, a few per worker of each end; none for an encrypted mapping.
    EXPECT_LE(descriptors("pipe:") - pipes_before, encrypted() ? 0u : 4u * 32 * 2);
    EXPECT_EQ(mapping_show("service").visitors(), 0u);
}

TEST_F(TunnelTest, MoreWaitingVisitorsThanAllowedAreReset) {
    const Service service(echo);
    start_server("[limits]\nwaiting_visitors = 3\nready_per_client = 0\n");
    start_proxy();
    const auto port = start_client(mapping_toml("service", service.address())).listening("service");
    ASSERT_NE(port, 0);
    proxy->hold(Proxy::Kind::control, true);
    std::vector<Peer> peers;
    for (int i = 0; i < 5; ++i) peers.push_back(Peer::connect(port));
    EXPECT_TRUE(eventually([&] { return mapping_show("service").refused_total() == 2; }));
    EXPECT_NE(mapping_show("service").last_error().find("limits.waiting_visitors"), std::string::npos);
    proxy->hold(Proxy::Kind::control, false);
    int served = 0;
    int reset = 0;
    for (auto& peer : peers) {
        peer.send("x");
        peer.finish();
        const auto received = peer.receive_all();
        served += received.end == End::orderly && text_of(received.bytes) == "x" ? 1 : 0;
        reset += received.end == End::reset ? 1 : 0;
    }
    EXPECT_EQ(served, 3);
    EXPECT_EQ(reset, 2);
}

TEST_F(TunnelTest, AWaitingVisitorThatResetsGivesUpItsPlace) {
    const Service service(echo);
    start_server("[limits]\nwaiting_visitors = 2\nready_per_client = 0\n");
    start_proxy();
    const auto port = start_client(mapping_toml("service", service.address())).listening("service");
    ASSERT_NE(port, 0);
    proxy->hold(Proxy::Kind::control, true);
    for (int i = 0; i < 2; ++i) Peer::connect(port).reset();
    EXPECT_TRUE(eventually([&] { return logs.count({"server", "visitor left"}) == 2; }));
    auto patient = Peer::connect(port);
    proxy->hold(Proxy::Kind::control, false);
    ASSERT_TRUE(patient.send("x"));
    EXPECT_EQ(patient.receive_text(1), "x");
    EXPECT_EQ(mapping_show("service").refused_total(), 0u);
}

}  // namespace
}  // namespace tunnel::test
