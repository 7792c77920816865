// What a relay relies on: which events the kernel sends, and what it still holds of the bytes it took.

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>
#include <random>

#include "common/net/kernel_tls.hpp"
#include "common/net/relay/pipe_pool.hpp"
#include "common/net/socket.hpp"
#include "tests/unit/common/net/kernel_tls_pair.hpp"

namespace tunnel::net {
namespace {

using namespace test;

class KernelTlsRulesTest : public KernelTlsTest {
  protected:
    void SetUp() override {
        KernelTlsTest::SetUp();
        if (IsSkipped()) return;
        take_over();
        epoll_ = UniqueFd(::epoll_create1(EPOLL_CLOEXEC));
        epoll_event wanted{};
        wanted.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
        ASSERT_EQ(::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, pair.near.get(), &wanted), 0);
    }
    // The next edge; 0 when none comes soon.
    unsigned edge(int patience_ms = 2'000) {
        epoll_event event{};
        return ::epoll_wait(epoll_.get(), &event, 1, patience_ms) == 1 ? event.events : 0u;
    }
    ssize_t splice_in(std::size_t most) {
        return ::splice(pair.near.get(), nullptr, pipe->write.get(), nullptr, most, SPLICE_F_NONBLOCK);
    }
    void empty_pipe() {
        Bytes bytes(65536);
        while (::read(pipe->read.get(), bytes.data(), bytes.size()) > 0) {
        }
    }

    PipePool pool;
    std::optional<Pipe> pipe = pool.lease();

  private:
    UniqueFd epoll_;
};

INSTANTIATE_TEST_SUITE_P(Roles, KernelTlsRulesTest, testing::Values(Role::server, Role::client), role_name);

TEST_P(KernelTlsRulesTest, SpliceGivesOneRecordAtATimeAndTheNextIsAnEdgeAgain) {
    EXPECT_EQ(edge(), unsigned{EPOLLOUT});
    for (int i = 0; i < 3; ++i) user.send(Bytes(1000, 7));
    user.send_close_notify();
    for (int i = 0; i < 3; ++i) {
        ASSERT_TRUE(edge() & EPOLLIN) << "record " << i;
        ssize_t n = splice_in(65536);
        // Told as soon as its first byte is there, a record may need a second look.
        if (n < 0 && errno == EAGAIN && (edge() & EPOLLIN)) n = splice_in(65536);
        EXPECT_EQ(n, 1000);
        empty_pipe();
    }
    ASSERT_TRUE(edge() & EPOLLIN);
    EXPECT_EQ(splice_in(65536), -1);
    EXPECT_EQ(errno, EINVAL);
}

TEST_P(KernelTlsRulesTest, ARestOfARecordStaysReadable) {
    user.send(Bytes(10'000, 7));
    ASSERT_TRUE(wait_for(pair.near.get(), POLLIN));
    std::size_t got = 0;
    for (int i = 0; i < 20 && got < 10'000; ++i) {
        ASSERT_TRUE(wait_for(pair.near.get(), POLLIN));
        const auto n = splice_in(3'000);
        if (n > 0) got += static_cast<std::size_t>(n);
        empty_pipe();
    }
    EXPECT_EQ(got, 10'000u);
    EXPECT_FALSE(wait_for(pair.near.get(), POLLIN, 0));
}

TEST_P(KernelTlsRulesTest, ASpliceOfWhatThePipeHoldsLeavesAtOnce) {
    for (const std::size_t size : {1u, 1000u, 4096u, 5000u, 16384u, 16385u, 50'000u}) {
        SCOPED_TRACE(size);
        const Bytes bytes(size, 7);
        ASSERT_EQ(::write(pipe->write.get(), bytes.data(), size), static_cast<ssize_t>(size));
        ASSERT_EQ(::splice(pipe->read.get(), nullptr, pair.near.get(), nullptr, size, SPLICE_F_NONBLOCK),
                  static_cast<ssize_t>(size));
        kernel->count_given(size);
        EXPECT_EQ(user.receive(size).size(), size);
        EXPECT_TRUE(*kernel->all_in_tcp());
    }
}

TEST_P(KernelTlsRulesTest, AFullSocketIsAnEdgeOnceItsReaderReads) {
    (void)edge();
    const Bytes bytes(16384, 7);
    std::size_t given = 0;
    for (;;) {
        const auto n = ::send(pair.near.get(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0) break;
        given += static_cast<std::size_t>(n);
    }
    EXPECT_EQ(errno, EAGAIN);
    EXPECT_FALSE(*kernel->send_close_notify());
    kernel->count_given(given);
    EXPECT_EQ(user.receive(given).size(), given);
    EXPECT_TRUE(edge() & EPOLLOUT);
    EXPECT_TRUE(*kernel->send_close_notify());
}

TEST_P(KernelTlsRulesTest, ItSaysNoWhileKernelTlsHoldsARecord) {
    const TcpPair small({4608, 4608});
    const RoleKeys keys(GetParam());
    UserEnd reader(small.far.get(), other(GetParam()));
    auto taken = hand_over(small.near.get(), keys);
    ASSERT_TRUE(taken);
    // One record is more than TCP has room for.
    const Bytes bytes(tls::max_record_plaintext, 7);
    ASSERT_EQ(::send(small.near.get(), bytes.data(), bytes.size(), MSG_DONTWAIT),
              static_cast<ssize_t>(bytes.size()));
    taken->count_given(bytes.size());
    EXPECT_FALSE(*taken->all_in_tcp());
    EXPECT_EQ(reader.receive(bytes.size()).size(), bytes.size());
    EXPECT_TRUE(*taken->all_in_tcp());
}

// Sizes at random, a close as soon as all is in TCP. Now and then the kernel takes close_notify while it
// still holds data before it; a close at that moment would cut both off.
TEST_P(KernelTlsRulesTest, NothingIsLostByClosingOnceAllIsInTcp) {
    std::mt19937 random(GetParam() == Role::server ? 1 : 2);
    auto below = [&](unsigned n) { return std::uniform_int_distribution<unsigned>(0, n - 1)(random); };
    int held = 0;
    for (int round = 0; round < 150 && !HasFailure(); ++round) {
        SCOPED_TRACE(round);
        TcpPair small({static_cast<int>(2304 + below(30'000)), static_cast<int>(2304 + below(15'000))});
        const RoleKeys keys(GetParam());
        UserEnd reader(small.far.get(), other(GetParam()));
        auto taken = hand_over(small.near.get(), keys);
        ASSERT_TRUE(taken);
        const std::size_t bite = 200 + below(4'000);
        int waits = 0;
        auto read_some = [&] {
            if (!reader.pull(bite) && ++waits < 20'000) (void)wait_for(small.far.get(), POLLIN, 2);
        };
        const Bytes bytes(1 + below(60'000), 7);
        std::size_t given = 0;
        for (int i = 0; i < 15; ++i) {
            const auto n = ::send(small.near.get(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
            if (n < 0 && below(3) == 0) break;
            if (n < 0) read_some();
            if (n > 0) given += static_cast<std::size_t>(n);
        }
        taken->count_given(given);
        while (!*taken->send_close_notify() && waits < 20'000) read_some();
        if (!*taken->all_in_tcp()) ++held;
        while (!*taken->all_in_tcp() && waits < 20'000) read_some();
        small.near.reset();
        while (!reader.got_end() && reader.failure().empty() && waits < 20'000) read_some();
        EXPECT_EQ(reader.failure(), "");
        EXPECT_TRUE(reader.got_close_notify());
        EXPECT_EQ(reader.take().size(), given);
    }
    std::printf("close_notify was taken while data was held: %d times\n", held);
}

}  // namespace
}  // namespace tunnel::net
