#include "common/net/listener.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/resource.h>

#include <fstream>
#include <set>
#include <thread>

#include "common/net/socket.hpp"
#include "tests/unit/common/net/test_loop.hpp"
#include "tests/unit/common/net/test_sockets.hpp"

namespace tunnel::net {
namespace {

using test::loopback;
using test::Share;
using test::start_connect;
using test::TestLoop;
using testing::HasSubstr;

bool host_has_ipv6() {
    std::ifstream addresses("/proc/net/if_inet6");
    return addresses.peek() != std::ifstream::traits_type::eof();
}

// Sockets that are listened on, and the visitors that came.
class ListenerTest : public testing::Test {
  protected:
    void listen(const tcp::endpoint& address, std::size_t count) {
        auto sockets = open_listeners(address, count);
        ASSERT_TRUE(sockets) << sockets.error().message;
        sockets_ = std::move(*sockets);
    }
    void accept_all() {
        for (const auto& socket : sockets_) {
            loop_.spawn(accept_loop(socket, Accepts::peers, log_,
                                    [this](Accepted accepted) { accepted_.push_back(std::move(accepted)); }));
        }
    }
    void stop() {
        for (const auto& socket : sockets_) socket->close_now();
        loop_.run();
    }
    bool wait_for_visitors(std::size_t count) {
        return loop_.run_until([this, count] { return accepted_.size() >= count; });
    }

    TestLoop loop_;
    ListenSockets sockets_;
    std::vector<Accepted> accepted_;
    std::vector<std::string> lines_;
    Log log_ = Log::to_function(LogLevel::debug, LogFormat::text,
                                [this](std::string_view line) { lines_.emplace_back(line); });
};

TEST_F(ListenerTest, PortZeroIsOnePortForAllSockets) {
    listen(loopback(0), 4);
    ASSERT_EQ(sockets_.size(), 4u);
    std::set<unsigned short> ports;
    for (const auto& socket : sockets_) ports.insert(local_of(socket->fd()).port());
    EXPECT_EQ(ports.size(), 1u);
    EXPECT_NE(*ports.begin(), 0);
    EXPECT_EQ(bound_address(sockets_), loopback(*ports.begin()));
}

TEST_F(ListenerTest, EveryVisitorIsAcceptedBySomeSocket) {
    listen(loopback(0), 3);
    accept_all();
    std::vector<UniqueFd> visitors;
    for (int i = 0; i < 100; ++i) visitors.push_back(start_connect(bound_address(sockets_)));
    EXPECT_TRUE(wait_for_visitors(visitors.size()));
    std::set<tcp::endpoint> expected;
    std::set<tcp::endpoint> seen;
    for (const auto& visitor : visitors) expected.insert(local_of(visitor.get()));
    for (const auto& accepted : accepted_) seen.insert(accepted.peer);
    EXPECT_EQ(seen, expected);
    for (const auto& accepted : accepted_) {
        EXPECT_TRUE(::fcntl(accepted.fd.get(), F_GETFL) & O_NONBLOCK);
        EXPECT_TRUE(::fcntl(accepted.fd.get(), F_GETFD) & FD_CLOEXEC);
    }
    stop();
}

void expect_conflict(const tcp::endpoint& address) {
    const auto sockets = open_listeners(address, 2);
    ASSERT_FALSE(sockets);
    EXPECT_EQ(sockets.error().code, Errc::conflict);
    EXPECT_THAT(sockets.error().message, HasSubstr(to_text(address)));
}

TEST_F(ListenerTest, RefusesAnAddressThatAForeignListenerHas) {
    const auto foreign = test::foreign_listener(loopback(0));
    expect_conflict(local_of(foreign.get()));
}

TEST_F(ListenerTest, RefusesAnAddressThatAnotherProcessOfOursShares) {
    const auto foreign = test::foreign_listener(loopback(0), Share::port);
    expect_conflict(local_of(foreign.get()));
}

TEST_F(ListenerTest, RefusesAnAddressThatItListensOnAlready) {
    listen(loopback(0), 2);
    expect_conflict(bound_address(sockets_));
}

TEST_F(ListenerTest, RefusesAnAddressWhosePortAWildcardListenerHas) {
    for (const auto share : {Share::no, Share::port}) {
        const auto foreign = test::foreign_listener(tcp::endpoint(asio::ip::address_v4::any(), 0), share);
        expect_conflict(loopback(local_of(foreign.get()).port()));
    }
}

TEST_F(ListenerTest, RefusesTheWildcardWhereOneFamilyIsTaken) {
    if (!host_has_ipv6()) GTEST_SKIP() << "this host has no IPv6";
    const auto foreign = test::foreign_listener(tcp::endpoint(asio::ip::address_v4::any(), 0), Share::port);
    expect_conflict(tcp::endpoint(asio::ip::address_v6::any(), local_of(foreign.get()).port()));
}

TEST_F(ListenerTest, TheAddressIsFreeAgainWhenTheSocketsHaveGone) {
    listen(loopback(0), 2);
    const auto address = bound_address(sockets_);
    const auto visitor = start_connect(address);
    accept_all();
    EXPECT_TRUE(wait_for_visitors(1));
    stop();
    sockets_.clear();
    accepted_.clear();  // our side closes first, so the address lingers in TIME_WAIT
    listen(address, 2);
    EXPECT_EQ(bound_address(sockets_), address);
}

TEST_F(ListenerTest, AnAddressOfAnotherHostIsNamed) {
    const auto sockets = open_listeners(tcp::endpoint(asio::ip::make_address("192.0.2.1"), 0), 1);
    ASSERT_FALSE(sockets);
    EXPECT_EQ(sockets.error().code, Errc::invalid);
    EXPECT_THAT(sockets.error().message, HasSubstr("192.0.2.1"));
}

TEST_F(ListenerTest, TheIpv6WildcardServesBothFamilies) {
    if (!host_has_ipv6()) GTEST_SKIP() << "this host has no IPv6";
    listen(tcp::endpoint(asio::ip::address_v6::any(), 0), 2);
    accept_all();
    const auto port = bound_address(sockets_).port();
    const auto v4 = start_connect(loopback(port));
    const auto v6 = start_connect(tcp::endpoint(asio::ip::address_v6::loopback(), port));
    EXPECT_TRUE(wait_for_visitors(2));
    std::set<std::string> hosts;
    for (const auto& accepted : accepted_) hosts.insert(to_host_port(accepted.peer).host);
    EXPECT_EQ(hosts, (std::set<std::string>{"127.0.0.1", "::1"}));
    stop();
}

TEST_F(ListenerTest, CloseNowEndsTheLoopFromAnotherThread) {
    listen(loopback(0), 2);
    accept_all();
    loop_.settle();
    std::thread other([this] {
        for (const auto& socket : sockets_) socket->close_now();
    });
    loop_.run();
    other.join();
}

TEST_F(ListenerTest, CloseNowRefusesNewVisitorsAtOnce) {
    listen(loopback(0), 1);
    const auto address = bound_address(sockets_);
    sockets_.front()->close_now();
    const auto visitor = start_connect(address);
    EXPECT_EQ(test::end_of(visitor.get()), ECONNREFUSED);
}

TEST_F(ListenerTest, CloseNowBeforeTheLoopBeginsEndsItToo) {
    listen(loopback(0), 1);
    sockets_.front()->close_now();
    accept_all();
    loop_.run();
}

awaitable<void> join(TaskGroup& group) {
    co_await group.join();
}

TEST_F(ListenerTest, TheLoopEndsWhenItsTaskIsCancelled) {
    listen(loopback(0), 1);
    TaskGroup group(loop_.executor(), [](const std::exception& bug) { ADD_FAILURE() << bug.what(); });
    group.spawn(accept_loop(sockets_.front(), Accepts::peers, log_, [](Accepted) {}));
    loop_.settle();
    group.cancel();
    loop_.spawn(join(group));
    loop_.run();
}

// RLIMIT_NOFILE a little above what is open now.
class FewDescriptors {
  public:
    explicit FewDescriptors(rlim_t limit) {
        ::getrlimit(RLIMIT_NOFILE, &before_);
        const rlimit few{limit, before_.rlim_max};
        ::setrlimit(RLIMIT_NOFILE, &few);
    }
    FewDescriptors(const FewDescriptors&) = delete;
    FewDescriptors& operator=(const FewDescriptors&) = delete;
    ~FewDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }

  private:
    rlimit before_{};
};

TEST_F(ListenerTest, VisitorsLeaveAQuarterOfTheDescriptorsToDataConnections) {
    constexpr std::size_t limit = 128;
    std::vector<UniqueFd> outside;  // the visitors' own ends are made before the limit holds
    listen(loopback(0), 1);
    for (int i = 0; i < 40; ++i) outside.push_back(start_connect(bound_address(sockets_)));
    std::vector<UniqueFd> taken;
    while (taken.empty() || taken.back().get() < 80) taken.emplace_back(::dup(sockets_.front()->fd()));
    const FewDescriptors few(limit);
    loop_.spawn(accept_loop(sockets_.front(), Accepts::visitors, log_,
                            [this](Accepted accepted) { accepted_.push_back(std::move(accepted)); }));
    EXPECT_TRUE(loop_.run_until([&] { return !lines_.empty(); }));
    ASSERT_FALSE(accepted_.empty());
    EXPECT_LT(accepted_.size(), 40u);
    for (const auto& accepted : accepted_) EXPECT_LT(accepted.fd.get(), 96);
    // The others come in as soon as there is room.
    taken.clear();
    EXPECT_TRUE(wait_for_visitors(40));
    stop();
}

TEST_F(ListenerTest, TheLoopLeavesNoDescriptorBehind) {
    const auto before = test::open_descriptors();
    listen(loopback(0), 2);
    accept_all();
    stop();
    sockets_.clear();
    EXPECT_EQ(test::open_descriptors(), before);
}

// No descriptor can be opened while this lives.
class DescriptorsUsedUp {
  public:
    DescriptorsUsedUp() {
        ::getrlimit(RLIMIT_NOFILE, &before_);
        const UniqueFd lowest_free(::dup(0));
        auto limit = before_;
        limit.rlim_cur = static_cast<rlim_t>(lowest_free.get());
        EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
    }
    ~DescriptorsUsedUp() { ::setrlimit(RLIMIT_NOFILE, &before_); }

  private:
    rlimit before_{};
};

TEST_F(ListenerTest, RunningOutOfDescriptorsPausesTheLoopAndNeverEndsIt) {
#ifdef __SANITIZE_ADDRESS__
    GTEST_SKIP()
        << "UndefinedBehaviorSanitizer's check of virtual calls opens a pipe, and takes its lack for a "
           "wild pointer";
#endif
    listen(loopback(0), 1);
    accept_all();
    loop_.settle();
    const auto first = start_connect(bound_address(sockets_));
    const auto second = start_connect(bound_address(sockets_));
    {
        const DescriptorsUsedUp used_up;
        EXPECT_TRUE(loop_.run_until([this] { return !lines_.empty(); }));
        EXPECT_TRUE(accepted_.empty());
        EXPECT_THAT(lines_.front(), HasSubstr("listener paused"));
        EXPECT_THAT(lines_.front(), HasSubstr(to_text(bound_address(sockets_))));
        const auto end = Clock::now() + Millis(350);
        loop_.run_until([end] { return Clock::now() >= end; });
        EXPECT_EQ(lines_.size(), 1u) << "one line tells it, not one an attempt";
    }
    EXPECT_TRUE(wait_for_visitors(2));
    stop();
}

}  // namespace
}  // namespace tunnel::net
