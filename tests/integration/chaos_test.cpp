// Everything at once, at random: whatever breaks, an orderly end means every byte, and nothing stays behind.

#include <gtest/gtest.h>

#include <cstdio>
#include <random>

#include "tests/integration/support/tunnel_test.hpp"

namespace tunnel::test {
namespace {

constexpr Millis duration{2000};

struct Tally {
    std::atomic<int> whole{0};
    std::atomic<int> broken{0};
    std::atomic<int> lies{0};
    std::atomic<int> stuck{0};
};

void visit(Port port, std::mt19937_64& random, Tally& tally) {
    const auto sent = pattern(random() % 200'000, random());
    try {
        auto visitor = Peer::connect(port);
        const auto received = send_and_receive(visitor, sent);
        if (received.end == End::timeout)
            ++tally.stuck;
        else if (received.end == End::reset)
            ++tally.broken;
        else
            ++(received.bytes == sent ? tally.whole : tally.lies);
    } catch (const std::system_error&) {
        ++tally.broken;  // the listener is closed at the moment
    }
}

class ChaosTest : public BothModes {
  protected:
    void disturb(std::uint64_t choice, RunningClient& client) {
        switch (choice % 6) {
            case 0:
                return proxy->cut(Proxy::Kind::data);
            case 1:
                return proxy->cut(Proxy::Kind::control);
            case 2:
                mapping_pause("service");
                return mapping_resume("service");
            case 3:
                return client.request_reload();
            case 4:
                return server->request_reload();
            default:
                return close_one();
        }
    }
    // All is as it was before the storm.
    void expect_calm(const Service& service, Port port) {
        EXPECT_TRUE(idle());
        EXPECT_TRUE(eventually([&] { return service.running() == 0; }));
        // But for those that are ready for the next visitors.
        EXPECT_TRUE(eventually([&] { return proxy->open(Proxy::Kind::data) <= 2; }, Seconds(40)))
            << proxy->open(Proxy::Kind::data);
        EXPECT_TRUE(eventually([&] { return mapping_show("service").state() == "listening"; }));
        auto visitor = Peer::connect(port);
        ASSERT_TRUE(visitor.send("calm"));
        EXPECT_EQ(visitor.receive_text(4), "calm");
        EXPECT_FALSE(logs.has({"bug in"}));
    }

  private:
    void close_one() {
        const auto list = connection_list();
        if (list.connections_size() == 0) return;
        proto::AdminRequest request;
        request.mutable_connection_close()->set_id(list.connections(0).id());
        (void)server->ask(request);  // it may have ended meanwhile
    }
};
INSTANTIATE_TEST_SUITE_P(Mode, ChaosTest, testing::Bool(), mode_name);

TEST_P(ChaosTest, WhateverBreaksAnOrderlyEndMeansEveryByte) {
    const auto seed = std::random_device{}();
    std::printf("seed %u\n", seed);
    const Service service(echo);
    start_server();
    start_proxy();
    auto& client = start_client(mapping_toml("service", service.address(), encrypted()));
    const auto port = client.listening("service");
    ASSERT_NE(port, 0);

    Tally tally;
    std::atomic<bool> over{false};
    std::vector<std::thread> visitors;
    for (unsigned i = 0; i < 6; ++i) {
        visitors.emplace_back([&, i] {
            std::mt19937_64 random(seed + i);
            while (!over) visit(port, random, tally);
        });
    }
    std::mt19937_64 random(seed + 100);
    const auto end = Clock::now() + duration;
    while (Clock::now() < end) {
        disturb(random(), client);
        std::this_thread::sleep_for(Millis(20 + random() % 60));
    }
    over = true;
    for (auto& visitor : visitors) visitor.join();
    std::printf("whole %d, broken %d\n", tally.whole.load(), tally.broken.load());
    EXPECT_EQ(tally.lies, 0);
    EXPECT_EQ(tally.stuck, 0);
    EXPECT_GT(tally.whole, 0);
    expect_calm(service, port);
}

}  // namespace
}  // namespace tunnel::test
