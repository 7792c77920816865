// Data connections whose visitor has gone: each comes back with a preface of its own, or not at all.

#include "tunnel-server/pool/returned_connections.hpp"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "common/net/loopback_pair.hpp"
#include "tests/unit/common/net/test_loop.hpp"

namespace tunnel::server {
namespace {

constexpr TicketNumber ticket{7};

wire::PrefaceBytes some_preface() {
    wire::PrefaceBytes bytes{};
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<Byte>(i + 1);
    return bytes;
}

class ReturnedConnectionsTest : public testing::Test {
  protected:
    ~ReturnedConnectionsTest() override {
        returned_.clear();
        back_.clear();
        loop_.settle();
    }
    // The client's end of one that was returned.
    net::UniqueFd add(BytesView begun = {}, bool may_have_more = false, BytesView sent_before = {}) {
        auto pair = net::make_loopback_pair();
        EXPECT_TRUE(pair);
        net::UniqueFd client = std::move(pair->ours);
        // As a relay leaves it.
        net::set_reset_on_close(pair->theirs.get(), true);
        auto socket = net::ParkedSocket::add(events_, std::move(pair->theirs));
        EXPECT_TRUE(socket);
        send(client, sent_before);
        // What is told while nobody listens is told to nobody.
        loop_.settle();
        returned_.add({std::move(*socket), Bytes(begun.begin(), begun.end()), may_have_more, SessionId{5},
                       ticket, Secret(view_of("the next key"))});
        return client;
    }
    static void send(const net::UniqueFd& client, BytesView bytes) {
        EXPECT_EQ(::send(client.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL),
                  static_cast<ssize_t>(bytes.size()));
    }
    // 0, or errno.
    static int end_of(const net::UniqueFd& client) {
        pollfd ready{client.get(), POLLIN, 0};
        EXPECT_EQ(::poll(&ready, 1, 5000), 1);
        Byte none = 0;
        const auto n = ::recv(client.get(), &none, 1, 0);
        return n < 0 ? errno : static_cast<int>(n);
    }
    bool eventually(const std::function<bool()>& holds) { return loop_.run_until(holds); }
    void expect_back() {
        EXPECT_TRUE(eventually([&] { return back_.size() == 1; }));
        ASSERT_EQ(back_.size(), 1U);
        EXPECT_EQ(prefaces_.front(), preface_);
        EXPECT_EQ(back_.front().ticket, ticket);
        EXPECT_EQ(text_of(back_.front().key.reveal()), "the next key");
        EXPECT_EQ(returned_.size(), 0U);
    }

    net::test::TestLoop loop_;
    net::EventSet events_{loop_.context()};
    std::vector<Returned> back_;
    std::vector<wire::PrefaceBytes> prefaces_;
    ReturnedConnections returned_{loop_.context(),
                                  [this](Returned connection, const wire::PrefaceBytes& bytes) {
                                      back_.push_back(std::move(connection));
                                      prefaces_.push_back(bytes);
                                  }};
    const wire::PrefaceBytes preface_ = some_preface();
};

TEST_F(ReturnedConnectionsTest, OneComesBackWithItsPreface) {
    const auto client = add();
    EXPECT_EQ(returned_.size(), 1U);
    send(client, preface_);
    expect_back();
}

TEST_F(ReturnedConnectionsTest, ThePrefaceMayComeInPieces) {
    const auto client = add(BytesView(preface_).first(10));
    for (std::size_t at = 10; at < preface_.size(); ++at) {
        send(client, BytesView(preface_).subspan(at, 1));
        loop_.settle();
    }
    expect_back();
}

TEST_F(ReturnedConnectionsTest, ThePrefaceMayHaveComeWithTheEndBeforeIt) {
    const auto client = add(preface_);
    expect_back();
}

TEST_F(ReturnedConnectionsTest, WhatCameWhileNobodyListenedIsRead) {
    const auto client = add({}, true, preface_);
    expect_back();
}

TEST_F(ReturnedConnectionsTest, WhatComesBehindThePrefaceStays) {
    const auto client = add();
    auto bytes = Bytes(preface_.begin(), preface_.end());
    bytes.push_back('x');
    send(client, bytes);
    expect_back();
    Byte next = 0;
    EXPECT_EQ(::recv(back_.front().socket.fd(), &next, 1, MSG_DONTWAIT), 1);
    EXPECT_EQ(next, 'x');
}

TEST_F(ReturnedConnectionsTest, OneThatItsClientClosesIsGone) {
    auto client = add(BytesView(preface_).first(10));
    client.reset();
    EXPECT_TRUE(eventually([&] { return returned_.size() == 0; }));
    EXPECT_TRUE(back_.empty());
    EXPECT_EQ(events_.size(), 0U);
}

TEST_F(ReturnedConnectionsTest, MoreThanAPrefaceIsNone) {
    Bytes bytes(preface_.begin(), preface_.end());
    bytes.push_back('x');
    const auto client = add(bytes);
    EXPECT_EQ(returned_.size(), 0U);
    EXPECT_TRUE(back_.empty());
    EXPECT_EQ(end_of(client), ECONNRESET);
}

// A client may not have given its service everything yet: a reset would stop it.
TEST_F(ReturnedConnectionsTest, ClearClosesThemAllInOrder) {
    constexpr std::size_t few = 50;
    std::vector<net::UniqueFd> clients;
    for (std::size_t i = 0; i < few; ++i) clients.push_back(add());
    EXPECT_EQ(returned_.size(), few);
    returned_.clear();
    EXPECT_EQ(returned_.size(), 0U);
    EXPECT_EQ(events_.size(), 0U);
    for (const auto& client : clients) EXPECT_EQ(end_of(client), 0);
}

}  // namespace
}  // namespace tunnel::server
