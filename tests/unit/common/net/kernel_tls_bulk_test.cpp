// Bulk over kernel TLS by splice, as a relay does it: small pipes, small socket buffers, a reader that takes
// a little at a time, both directions at once, and the last bytes before a shutdown.

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "common/net/kernel_tls.hpp"
#include "common/net/relay/pipe_pool.hpp"
#include "common/net/socket.hpp"
#include "tests/unit/common/net/kernel_tls_pair.hpp"

namespace tunnel::net {
namespace {

using namespace test;
using Kind = KernelTlsSocket::Kind;

struct Load {
    int pipe_size;
    BufferSizes buffers;
    std::size_t bite;  // bytes that the far end, or the outer socket's reader, takes at a time
    std::size_t total;
};

void PrintTo(const Load& load, std::ostream* out) {
    *out << load.total << " bytes";
}

std::string load_name(const testing::TestParamInfo<Load>& info) {
    return fmt::format("Pipe{}Buffer{}Bite{}", info.param.pipe_size, info.param.buffers.send,
                       info.param.bite);
}

UniqueFd sized_pipe_end(Pipe& pipe, int size) {
    int ends[2];
    EXPECT_EQ(::pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
    EXPECT_EQ(::fcntl(ends[1], F_SETPIPE_SZ, size), size);
    pipe.read = UniqueFd(ends[0]);
    return UniqueFd(ends[1]);
}

// One direction of a relay: fills an empty pipe, drains it whole.
class Mover {
  public:
    Mover(int from, int to, int pipe_size) : from_(from), to_(to) {
        pipe_.write = sized_pipe_end(pipe_, pipe_size);
    }

    enum class Step { moved, stuck, end, refused, failed };
    Step fill() {
        if (pipe_.bytes_inside > 0) return Step::stuck;
        const auto n = ::splice(from_, nullptr, pipe_.write.get(), nullptr, 1 << 20, SPLICE_F_NONBLOCK);
        if (n > 0) pipe_.bytes_inside = static_cast<std::size_t>(n);
        if (n > 0) return Step::moved;
        if (n == 0) return Step::end;
        return errno == EAGAIN ? Step::stuck : errno == EINVAL ? Step::refused : Step::failed;
    }
    // Bytes that the target took.
    std::size_t drain() {
        if (pipe_.bytes_inside == 0) return 0;
        const auto n =
            ::splice(pipe_.read.get(), nullptr, to_, nullptr, pipe_.bytes_inside, SPLICE_F_NONBLOCK);
        if (n <= 0) {
            EXPECT_TRUE(n < 0 && errno == EAGAIN) << "errno " << errno;
            return 0;
        }
        pipe_.bytes_inside -= static_cast<std::size_t>(n);
        return static_cast<std::size_t>(n);
    }
    bool empty() const { return pipe_.bytes_inside == 0; }

  private:
    int from_;
    int to_;
    Pipe pipe_;
};

// A relay's two sockets, the outer one plain and the other under kernel TLS, with both their far ends.
class KernelTlsBulkTest : public testing::TestWithParam<Load> {
  protected:
    void SetUp() override {
        if (!kernel_tls().available()) GTEST_SKIP() << "no kernel TLS: " << kernel_tls().why_not();
        kernel = hand_over(data.near.get(), RoleKeys(Role::server));
        ASSERT_TRUE(kernel);
        set_no_delay(data.near.get());
    }

    // outer -> kernel -> user end, one step; true when anything moved.
    bool step_out() {
        bool moved = false;
        if (offered < load.total) {
            Bytes some(std::min<std::size_t>(load.total - offered, 10'000));
            pattern_out.fill(some, offered);
            const auto n = ::send(outer.far.get(), some.data(), some.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
            if (n > 0) offered += static_cast<std::size_t>(n);
            moved |= n > 0;
            if (offered == load.total) shut_down(outer.far.get(), Half::write);
        }
        const auto filled = out_ended ? Mover::Step::stuck : out.fill();
        if (filled == Mover::Step::end) out_ended = true;
        EXPECT_TRUE(filled != Mover::Step::failed && filled != Mover::Step::refused) << "errno " << errno;
        const auto taken = out.drain();
        kernel->count_given(taken);
        if (out_ended && out.empty() && !said_goodbye) {
            const auto sent = kernel->send_close_notify();
            EXPECT_TRUE(sent) << sent.error().message;
            said_goodbye = sent.value_or(false);
        }
        moved |= taken > 0 || user.pull(load.bite);
        const auto arrived = user.take();
        EXPECT_TRUE(pattern_out.matches(arrived, received)) << "after " << received;
        received += arrived.size();
        return moved;
    }

    // user end -> kernel -> outer.
    bool step_in() {
        bool moved = user.push();
        if (user.all_pushed() && sealed < load.total) {
            const auto size = std::min({load.total - sealed, load.bite, tls::max_record_plaintext});
            Bytes some(size);
            pattern_in.fill(some, sealed);
            user.send(some);
            sealed += size;
            if (sealed == load.total) user.send_close_notify();
            moved = true;
        }
        const auto filled = in_ended ? Mover::Step::stuck : in.fill();
        EXPECT_TRUE(filled != Mover::Step::failed && filled != Mover::Step::end) << "errno " << errno;
        if (filled == Mover::Step::refused) {
            Bytes control(64);
            const auto said = kernel->receive(control);
            EXPECT_TRUE(said && said->kind == Kind::close_notify);
            in_ended = true;
        }
        moved |= in.drain() > 0;
        Bytes some(load.bite);
        const auto n = ::recv(outer.far.get(), some.data(), some.size(), MSG_DONTWAIT);
        if (n > 0) {
            const auto arrived = BytesView(some).first(static_cast<std::size_t>(n));
            EXPECT_TRUE(pattern_in.matches(arrived, delivered)) << "after " << delivered;
            delivered += arrived.size();
            moved = true;
        }
        return moved;
    }

    // The kernel's own threads, which seal and acknowledge, are all that is waited for.
    void pause() { (void)wait_for(data.far.get(), user.got_end() ? 0 : POLLIN, 2); }

    const Load load = GetParam();
    TcpPair outer{load.buffers};
    TcpPair data{load.buffers};
    UserEnd user{data.far.get(), Role::client};
    std::optional<KernelTlsSocket> kernel;
    Mover out{outer.near.get(), data.near.get(), load.pipe_size};
    Mover in{data.near.get(), outer.near.get(), load.pipe_size};
    Pattern pattern_out{1};
    Pattern pattern_in{2};
    std::size_t offered = 0, received = 0, sealed = 0, delivered = 0;
    bool out_ended = false, said_goodbye = false, in_ended = false;
};

constexpr std::size_t kib = 1024;
INSTANTIATE_TEST_SUITE_P(Loads, KernelTlsBulkTest,
                         testing::Values(Load{65536, {}, 65536, 2048 * kib}, Load{4096, {}, 65536, 512 * kib},
                                         Load{4096, {4608, 4608}, 700, 64 * kib},
                                         Load{65536, {4608, 4608}, 3000, 128 * kib},
                                         Load{65536, {20'000, 4608}, 1000, 128 * kib},
                                         Load{262144, {65536, 65536}, 100'000, 2048 * kib}),
                         load_name);

constexpr int most_pauses = 20'000;

TEST_P(KernelTlsBulkTest, OutBySplice) {
    int pauses = 0;
    while (!user.got_close_notify() && pauses < most_pauses && !HasFailure()) {
        if (!step_out()) pause(), ++pauses;
    }
    EXPECT_EQ(user.failure(), "");
    EXPECT_EQ(received, load.total);
    EXPECT_TRUE(*kernel->all_in_tcp());
}

TEST_P(KernelTlsBulkTest, InBySplice) {
    int pauses = 0;
    while ((delivered < load.total || !in_ended) && pauses < most_pauses && !HasFailure()) {
        if (!step_in()) pause(), ++pauses;
    }
    EXPECT_EQ(user.failure(), "");
    EXPECT_EQ(delivered, load.total);
    EXPECT_TRUE(in_ended);
}

TEST_P(KernelTlsBulkTest, BothWaysAtOnce) {
    int pauses = 0;
    while ((delivered < load.total || !in_ended || !user.got_close_notify()) && pauses < most_pauses &&
           !HasFailure()) {
        const bool moved_out = step_out();
        const bool moved_in = step_in();
        if (!moved_out && !moved_in) pause(), ++pauses;
    }
    EXPECT_EQ(user.failure(), "");
    EXPECT_EQ(received, load.total);
    EXPECT_EQ(delivered, load.total);
}

// Nothing given is lost when the socket is closed as soon as all_in_tcp() says so, however little the reader
// has taken until then.
TEST_P(KernelTlsBulkTest, NothingIsLostByClosingOnceAllIsInTcp) {
    while (step_out() && !HasFailure() && received < load.total / 2) {
    }
    // The source stops here, with the pipe as it stands.
    int waited = 0;
    auto pull = [&] {
        if (user.pull(load.bite)) return;
        ++waited;
        pause();
    };
    bool given_all = false;
    while (!given_all && waited < most_pauses) {
        kernel->count_given(out.drain());
        given_all = out.empty();
        if (!given_all) pull();
    }
    while (!said_goodbye && waited < most_pauses) {
        said_goodbye = *kernel->send_close_notify();
        if (!said_goodbye) pull();
    }
    ASSERT_TRUE(said_goodbye);
    while (!*kernel->all_in_tcp() && waited < most_pauses) pull();
    ASSERT_TRUE(*kernel->all_in_tcp());
    data.near.reset();
    while (!user.got_end() && user.failure().empty() && waited < most_pauses) pull();
    EXPECT_EQ(user.failure(), "");
    EXPECT_TRUE(user.got_close_notify());
}

}  // namespace
}  // namespace tunnel::net
