#include "common/net/socket.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>

#include <cerrno>

#include "tests/unit/common/net/test_sockets.hpp"

namespace tunnel::net {
namespace {

using test::TcpPair;

int option(int fd, int level, int name) {
    int value = -1;
    socklen_t size = sizeof value;
    EXPECT_EQ(::getsockopt(fd, level, name, &value, &size), 0);
    return value;
}

TEST(Socket, NoDelayIsSet) {
    const TcpPair pair;
    EXPECT_EQ(option(pair.near.get(), IPPROTO_TCP, TCP_NODELAY), 0);
    set_no_delay(pair.near.get());
    EXPECT_NE(option(pair.near.get(), IPPROTO_TCP, TCP_NODELAY), 0);
}

TEST(Socket, KeepaliveProbesAfterTheIntervalAndGivesUpAtTheTimeout) {
    const TcpPair pair;
    const int fd = pair.near.get();
    set_keepalive(fd, {Millis(10'000), Millis(30'000)});
    EXPECT_EQ(option(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
    const int idle = option(fd, IPPROTO_TCP, TCP_KEEPIDLE);
    const int between = option(fd, IPPROTO_TCP, TCP_KEEPINTVL);
    const int probes = option(fd, IPPROTO_TCP, TCP_KEEPCNT);
    EXPECT_EQ(idle, 10);
    EXPECT_EQ(idle + between * probes, 30);
}

TEST(Socket, KeepaliveOfLessThanASecondIsASecond) {
    const TcpPair pair;
    const int fd = pair.near.get();
    set_keepalive(fd, {Millis(100), Millis(100)});
    EXPECT_EQ(option(fd, IPPROTO_TCP, TCP_KEEPIDLE), 1);
    EXPECT_EQ(option(fd, IPPROTO_TCP, TCP_KEEPINTVL), 1);
}

TEST(Socket, KeepaliveStaysWithinWhatTheKernelTakes) {
    const TcpPair pair;
    const int fd = pair.near.get();
    set_keepalive(fd, {std::chrono::hours(24 * 365), std::chrono::hours(24 * 3650)});
    EXPECT_EQ(option(fd, IPPROTO_TCP, TCP_KEEPIDLE), 32'000);
    EXPECT_EQ(option(fd, IPPROTO_TCP, TCP_KEEPINTVL), 32'000);
}

TEST(Socket, UserTimeoutIsInMilliseconds) {
    const TcpPair pair;
    set_user_timeout(pair.near.get(), Millis(12'345));
    EXPECT_EQ(option(pair.near.get(), IPPROTO_TCP, TCP_USER_TIMEOUT), 12'345);
}

TEST(Socket, ResetOnCloseIsSeenByThePeer) {
    TcpPair pair;
    set_reset_on_close(pair.near.get(), true);
    pair.near.reset();
    EXPECT_EQ(test::end_of(pair.far.get()), ECONNRESET);
}

TEST(Socket, ResetOnCloseCanBeTakenBack) {
    TcpPair pair;
    set_reset_on_close(pair.near.get(), true);
    set_reset_on_close(pair.near.get(), false);
    test::send_all(pair.near.get(), view_of("last words"));
    pair.near.reset();
    EXPECT_EQ(text_of(test::receive_exactly(pair.far.get(), 10)), "last words");
    EXPECT_EQ(test::end_of(pair.far.get()), 0);
}

TEST(Socket, ShuttingDownTheWriteHalfKeepsTheOther) {
    const TcpPair pair;
    shut_down(pair.near.get(), Half::write);
    EXPECT_EQ(test::end_of(pair.far.get()), 0);
    test::send_all(pair.far.get(), view_of("answer"));
    EXPECT_EQ(text_of(test::receive_exactly(pair.near.get(), 6)), "answer");
}

TEST(Socket, KnowsBothItsAddresses) {
    const TcpPair pair;
    EXPECT_EQ(peer_of(pair.near.get()), local_of(pair.far.get()));
    EXPECT_EQ(local_of(pair.near.get()), peer_of(pair.far.get()));
    EXPECT_TRUE(peer_of(pair.near.get()).address().is_loopback());
    EXPECT_NE(peer_of(pair.near.get()).port(), 0);
}

TEST(Socket, AnAddressOfNoSocketIsEmpty) {
    EXPECT_EQ(peer_of(-1), tcp::endpoint());
    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    const UniqueFd a(ends[0]);
    const UniqueFd b(ends[1]);
    EXPECT_EQ(peer_of(a.get()), tcp::endpoint());
}

TEST(Socket, AddressesReadAsPeopleWriteThem) {
    const auto text = [](const char* host) {
        return to_text(tcp::endpoint(asio::ip::make_address(host), 80));
    };
    EXPECT_EQ(text("192.0.2.1"), "192.0.2.1:80");
    EXPECT_EQ(text("2001:db8::1"), "[2001:db8::1]:80");
    EXPECT_EQ(text("::ffff:192.0.2.1"), "192.0.2.1:80") << "a visitor of a dual-stack listener";
}

TEST(Socket, BothFormsOfAnIpv4AddressAreEqual) {
    EXPECT_EQ(to_ip(asio::ip::make_address("192.0.2.1")), to_ip(asio::ip::make_address("::ffff:192.0.2.1")));
    EXPECT_NE(to_ip(asio::ip::make_address("192.0.2.1")), to_ip(asio::ip::make_address("192.0.2.2")));
}

TEST(Socket, NumericAddressesBecomeEndpoints) {
    const auto endpoint = to_endpoint({"::1", 22});
    ASSERT_TRUE(endpoint);
    EXPECT_EQ(endpoint->port(), 22);
    EXPECT_TRUE(endpoint->address().is_loopback());
    const auto name = to_endpoint({"nas.lan", 22});
    ASSERT_FALSE(name);
    EXPECT_NE(name.error().message.find("nas.lan"), std::string::npos);
}

TEST(Socket, AnIdlePeerIsNotDead) {
    const TcpPair pair;
    EXPECT_FALSE(peer_seems_dead(pair.near.get(), Millis(0)));
    EXPECT_FALSE(peer_seems_dead(-1, Millis(0)));
}

TEST(Socket, APeerWhoseReaderPausesIsNotDead) {
    const TcpPair pair({4096, 4096});
    const Bytes block(65536);
    while (::send(pair.near.get(), block.data(), block.size(), MSG_DONTWAIT | MSG_NOSIGNAL) > 0) {
    }
    EXPECT_FALSE(peer_seems_dead(pair.near.get(), Millis(0)));
}

TEST(Socket, TheDescriptorLimitGoesToItsMaximum) {
    rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
    rlimit low = before;
    low.rlim_cur = 64;
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &low), 0);
    EXPECT_EQ(raise_descriptor_limit(), before.rlim_max);
    rlimit after{};
    ::getrlimit(RLIMIT_NOFILE, &after);
    EXPECT_EQ(after.rlim_cur, before.rlim_max);
    ::setrlimit(RLIMIT_NOFILE, &before);
}

}  // namespace
}  // namespace tunnel::net
