// A data connection that outlives its stream, and an answer that waits for the service's first bytes: one
// relay, its peers played by the test.

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <cerrno>

#include "tests/unit/common/net/relay_chain.hpp"

namespace tunnel::net {
namespace {

using namespace test;

constexpr std::string_view end_of_stream("\0\0", 2);

class RelayReuse : public testing::Test {
  protected:
    ~RelayReuse() override { EXPECT_EQ(lent_.pipes.leased(), 0u); }

    // A plain relay at the client: the far end of `outer_` is the service's leg, that of `data_` the
    // server's.
    void start(const RelayBeginning& beginning = {}) {
        start_with([] { return Bytes(again.begin(), again.end()); }, beginning);
    }
    // One at the server, which waits for the client's word.
    void start_at_server() { start_with(nullptr, {}); }
    void start_with(const Relay::Again& words, const RelayBeginning& beginning) {
        side_.emplace(loop_, lent_, std::move(outer_.far), std::move(data_.far), std::nullopt);
        side_->relay().set_reusable(words);
        side_->start(nullptr, beginning);
        loop_.settle();
    }
    void service_says(std::string_view text) { send_all(outer_.near.get(), view_of(text)); }
    void server_says(std::string_view text) { send_all(data_.near.get(), view_of(text)); }
    // What is there after everything was done that can be done.
    std::string at(int fd) {
        loop_.settle();
        Bytes bytes(100'000);
        const auto n = ::recv(fd, bytes.data(), bytes.size(), MSG_DONTWAIT);
        if (n < 0) return errno == EAGAIN ? "" : "broken";
        return std::string(text_of(BytesView(bytes).first(static_cast<std::size_t>(n))));
    }
    std::string service_gets() { return at(outer_.near.get()); }
    std::string server_gets() { return at(data_.near.get()); }
    std::string eventually_server_gets() {
        std::string got;
        loop_.run_until([&] { return !(got = server_gets()).empty(); });
        return got;
    }
    void expect_end(RelayEnd end) {
        loop_.run();
        ASSERT_TRUE(side_->result());
        EXPECT_EQ(to_string(side_->result()->end), to_string(end)) << side_->result()->detail;
    }

    TestLoop loop_;
    Lent lent_{loop_};
    TcpPair outer_;
    TcpPair data_;
    std::optional<RunningRelay> side_;
};

TEST_F(RelayReuse, TheLastEndAndTheNextPrefaceLeaveTogether) {
    start();
    server_says(std::string("\0\5hello", 7) + std::string(end_of_stream));
    EXPECT_EQ(service_gets(), "hello");
    service_says("goodbye");
    EXPECT_EQ(server_gets(), std::string("\0\7goodbye", 9));
    ::shutdown(outer_.near.get(), SHUT_WR);
    EXPECT_EQ(server_gets(), std::string(end_of_stream) + std::string(again));
    expect_end(RelayEnd::finished);
    EXPECT_TRUE(side_->returned());
    EXPECT_EQ(side_->result()->from_outer, 7u);
    EXPECT_EQ(side_->result()->to_outer, 5u);
}

TEST_F(RelayReuse, AWholeDirectionMayHaveBeenReadBefore) {
    for (const bool all : {true, false}) {
        outer_ = TcpPair();
        data_ = TcpPair();
        const auto direction = std::string("\0\5hello", 7) + std::string(end_of_stream);
        const auto begun = direction.substr(0, all ? direction.size() : 4);
        server_says(direction.substr(begun.size()));
        start({.begun = view_of(begun), .data_may_have_more = !all});
        EXPECT_EQ(service_gets(), "hello");
        EXPECT_EQ(end_of(outer_.near.get()), 0);
        ::shutdown(outer_.near.get(), SHUT_WR);
        EXPECT_EQ(server_gets(), std::string(end_of_stream) + std::string(again));
        expect_end(RelayEnd::finished);
        EXPECT_TRUE(side_->returned());
    }
}

TEST_F(RelayReuse, TheNextPrefaceWaitsUntilTheServiceHasEverything) {
    start();
    ::shutdown(outer_.near.get(), SHUT_WR);
    EXPECT_EQ(server_gets(), end_of_stream) << "an end is passed on at once";
    server_says(std::string("\0\3bye", 5));
    EXPECT_EQ(service_gets(), "bye");
    EXPECT_EQ(server_gets(), "");
    server_says(end_of_stream);
    EXPECT_EQ(server_gets(), again);
    expect_end(RelayEnd::finished);
    EXPECT_TRUE(side_->returned());
}

TEST_F(RelayReuse, BulkIsPassedOnAsItIsAndEndsTheConnection) {
    start();
    service_says(std::string(wire::ChunkWriter::bulk, 'x'));
    const auto got = eventually_server_gets();
    ASSERT_GE(got.size(), 2u);
    EXPECT_EQ(got.substr(0, 2), "\xff\xff");
    server_says(end_of_stream);
    ::shutdown(outer_.near.get(), SHUT_WR);
    expect_end(RelayEnd::finished);
    EXPECT_FALSE(side_->returned());
    EXPECT_EQ(end_of(data_.near.get()), 0);
}

// Without the chunk that says so, the end of the connection is not that of the stream.
TEST_F(RelayReuse, AConnectionThatIsCutWithinItsChunksIsNoEnd) {
    for (const std::string_view begun :
         {std::string_view(), std::string_view("\0\5hel", 5), std::string_view("\0", 1)}) {
        outer_ = TcpPair();
        data_ = TcpPair();
        start();
        if (!begun.empty()) server_says(begun);
        ::shutdown(data_.near.get(), SHUT_WR);
        expect_end(RelayEnd::truncated);
        EXPECT_EQ(end_of(outer_.near.get()), ECONNRESET);
        EXPECT_FALSE(side_->returned());
    }
}

TEST_F(RelayReuse, WhatIsNoChunkBreaksTheStream) {
    start();
    server_says(std::string("\x90\0oops", 6));
    expect_end(RelayEnd::tampered);
    EXPECT_EQ(end_of(outer_.near.get()), ECONNRESET);
}

// A client that ends when it is done takes nothing from a visitor who reads slowly.
TEST_F(RelayReuse, WhatIsLeftForASlowVisitorNeedsNoDataConnection) {
    for (const bool said_again : {true, false}) {
        outer_ = TcpPair({.send = 4608, .receive = 4096});
        data_ = TcpPair();
        start_at_server();
        ::shutdown(outer_.near.get(), SHUT_WR);
        EXPECT_EQ(server_gets(), end_of_stream);
        constexpr std::size_t chunks = 2;  // which one read takes
        const std::string chunk(10'000, 'x');
        for (std::size_t i = 0; i < chunks; ++i) server_says("\x27\x10" + chunk);
        server_says(end_of_stream);
        if (said_again) server_says(again);
        loop_.settle();
        reset(data_.near);
        loop_.settle();
        std::size_t got = 0;
        int end = -1;
        loop_.run_until([&] {
            Bytes bytes(50'000);
            const auto n = ::recv(outer_.near.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
            if (n > 0) got += static_cast<std::size_t>(n);
            if (n == 0) end = 0;
            if (n < 0 && errno != EAGAIN) end = errno;
            return end >= 0;
        });
        if (said_again) {
            EXPECT_EQ(got, chunks * chunk.size());
            EXPECT_EQ(end, 0);
            expect_end(RelayEnd::finished);
        } else {
            EXPECT_EQ(end, ECONNRESET) << "it may not have got the visitor's last bytes";
            expect_end(RelayEnd::data_failed);
        }
    }
}

TEST_F(RelayReuse, AnAnswerLeavesWithTheServicesFirstBytes) {
    start({.opening = view_of("answer"), .opening_may_wait = true});
    service_says("welcome");
    EXPECT_EQ(eventually_server_gets(), std::string("answer\0\7welcome", 15));
    side_->relay().abort(RelayEnd::closed);
    loop_.run();
}

TEST_F(RelayReuse, AnAnswerDoesNotWaitForAServiceThatSaysNothing) {
    start({.opening = view_of("answer"), .opening_may_wait = true});
    EXPECT_EQ(eventually_server_gets(), "answer");
    service_says("welcome");
    EXPECT_EQ(eventually_server_gets(), std::string("\0\7welcome", 9));
    side_->relay().abort(RelayEnd::closed);
    loop_.run();
}

TEST_F(RelayReuse, AServiceThatOnlyEndsIsAnsweredForToo) {
    start({.opening = view_of("answer"), .opening_may_wait = true});
    ::shutdown(outer_.near.get(), SHUT_WR);
    std::string got;
    loop_.run_until([&] { return (got += server_gets()).size() >= 8; });
    EXPECT_EQ(got, std::string("answer\0\0", 8));
    side_->relay().abort(RelayEnd::closed);
    loop_.run();
}

// Else the server would take the connection for one that broke before the stream was opened, and try again.
TEST_F(RelayReuse, AServiceThatBreaksAtOnceIsAnsweredForToo) {
    start({.opening = view_of("answer"), .opening_may_wait = true});
    reset(outer_.near);
    expect_end(RelayEnd::outer_failed);
    EXPECT_EQ(text_of(receive_exactly(data_.near.get(), 6)), "answer");
}

}  // namespace
}  // namespace tunnel::net
