#include "common/net/same_host.hpp"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>
#include <string>

#include "common/net/dialer.hpp"
#include "common/net/listener.hpp"
#include "tests/unit/common/net/test_loop.hpp"
#include "tests/unit/common/net/test_sockets.hpp"

namespace tunnel::net {
namespace {

using test::loopback;
using test::TestLoop;

std::string congestion_control_of(int fd) {
    std::array<char, 16> name{};
    socklen_t size = name.size();
    return ::getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name.data(), &size) == 0 ? name.data() : "";
}

std::string hosts_default() {
    const UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    return congestion_control_of(fd.get());
}

// What is accepted by a listener of ours on that address, from a dial of ours to loopback.
void connect_to(const tcp::endpoint& address, std::string& dialled, std::string& accepted) {
    TestLoop loop;
    auto sockets = open_listeners(address, 1);
    ASSERT_TRUE(sockets) << sockets.error().message;
    const auto fd = loop.get(dial({loopback(bound_address(*sockets).port())}, Seconds(30)));
    ASSERT_TRUE(fd);
    std::vector<Accepted> came;
    loop.spawn(accept_loop(sockets->front(), Accepts::peers, Log::none(),
                           [&came](Accepted one) { came.push_back(std::move(one)); }));
    ASSERT_TRUE(loop.run_until([&came] { return !came.empty(); }));
    dialled = congestion_control_of(fd->get());
    accepted = congestion_control_of(came.front().fd.get());
    sockets->front()->close_now();
    loop.run();
}

TEST(SameHost, NothingIsPacedOverLoopback) {
    std::string dialled;
    std::string accepted;
    connect_to(loopback(0), dialled, accepted);
    EXPECT_EQ(dialled, "reno");
    EXPECT_EQ(accepted, "reno");
}

TEST(SameHost, WhatMayComeFromElsewhereKeepsTheHostsDefault) {
    std::string dialled;
    std::string accepted;
    connect_to(tcp::endpoint(asio::ip::address_v4::any(), 0), dialled, accepted);
    EXPECT_EQ(accepted, hosts_default());
    const UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    prepare_for_same_host(fd.get(), tcp::endpoint(asio::ip::make_address("192.0.2.1"), 80));
    EXPECT_EQ(congestion_control_of(fd.get()), hosts_default());
}

}  // namespace
}  // namespace tunnel::net
