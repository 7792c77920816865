// Two carriers joined by a socket pair: frames arrive whole and in order, a reader that stops holds nobody's
// memory, and the end is told once.

#include "common/net/datagram/carrier.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include "tests/unit/common/net/test_loop.hpp"
#include "tests/unit/common/wire/seeded_random.hpp"

namespace tunnel::net {
namespace {

using wire::FrameKind;

struct Owner final : Carrier::Owner {
    void on_frame(const wire::DatagramFrame& frame) override {
        ++frames;
        bytes += frame.payload.size();
        if (keep) got.emplace_back(frame.payload.begin(), frame.payload.end());
    }
    void on_batch_end() override { ++batches; }
    void on_carrier_closed(Carrier&, const Error& why) override {
        ++closed;
        reason = why;
    }
    bool keep = true;
    std::vector<Bytes> got;
    std::size_t frames = 0;
    std::size_t bytes = 0;
    int batches = 0;
    int closed = 0;
    Error reason;
};

tls::DirectionKeys keys_of(Byte fill) {
    return tls::DirectionKeys(Cipher::aes_128_gcm, Bytes(20, fill));
}

class CarrierTest : public testing::TestWithParam<bool> {
  protected:
    void SetUp() override {
        int fds[2];
        ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
        left = make(fds[0], 1, 2, at_left);
        right = make(fds[1], 2, 1, at_right);
    }
    void TearDown() override {
        Carrier::retire(loop.context(), std::move(left));
        Carrier::retire(loop.context(), std::move(right));
        loop.settle();
        EXPECT_EQ(events.size(), 0U);
    }
    std::unique_ptr<Carrier> make(int fd, Byte seals, Byte opens, Owner& owner, Bytes begun = {}) {
        std::optional<RecordLayers> records;
        if (GetParam())
            records = RecordLayers{tls::RecordSealer(factory, keys_of(seals)),
                                   tls::RecordOpener(factory, keys_of(opens)), nullptr};
        auto carrier =
            std::make_unique<Carrier>(events, buffers, UniqueFd(fd), std::move(records), nullptr, owner);
        EXPECT_EQ(carrier->start(std::move(begun)), 0);
        return carrier;
    }
    test::TestLoop loop;
    EventSet events{loop.context()};
    CarrierBuffers buffers;
    tls::AeadFactory factory = tls::AeadFactory::best();
    Owner at_left;
    Owner at_right;
    std::unique_ptr<Carrier> left;
    std::unique_ptr<Carrier> right;
};

TEST_P(CarrierTest, DatagramsOfAllSizesArriveWholeAndInOrder) {
    wire::SeededRandom random;
    std::vector<Bytes> sent;
    for (int round = 0; round < 60; ++round) {
        for (std::size_t i = random.below(20); i > 0; --i) {
            sent.push_back(random.bytes(random.below(8) == 0 ? random.below(65'508) : random.below(1500)));
            ASSERT_TRUE(left->queue({FrameKind::datagram, 5, sent.back()}));
        }
        left->flush();
        ASSERT_TRUE(loop.run_until([&] { return at_right.got.size() == sent.size(); }));
    }
    EXPECT_TRUE(at_right.got == sent);
    EXPECT_EQ(at_left.frames, 0U);
}

TEST_P(CarrierTest, BothDirectionsAtOnce) {
    const Bytes datagram(1200, 7);
    for (int i = 0; i < 200; ++i) {
        ASSERT_TRUE(left->queue({FrameKind::datagram, 1, datagram}));
        ASSERT_TRUE(right->queue({FrameKind::datagram, 2, datagram}));
    }
    left->flush();
    right->flush();
    EXPECT_TRUE(loop.run_until([&] { return at_left.frames == 200 && at_right.frames == 200; }));
}

TEST_P(CarrierTest, TheNewestIsDroppedWhereTheOtherEndDoesNotRead) {
    at_right.keep = false;
    const Bytes datagram(10'000, 1);
    std::size_t taken = 0;
    for (int i = 0; i < 2000; ++i) {
        if (left->queue({FrameKind::datagram, 1, datagram})) ++taken;
        left->flush();
    }
    EXPECT_GT(taken, 50U);
    EXPECT_LT(taken * datagram.size(), 2 * Carrier::most_queued + 1'000'000);
    // What was taken arrives once the other end reads again.
    ASSERT_TRUE(loop.run_until([&] { return at_right.frames == taken; }));
    EXPECT_EQ(at_right.bytes, taken * datagram.size());
    EXPECT_TRUE(left->queue({FrameKind::datagram, 1, datagram}));
}

// By whoever had the connection before; the rest comes by itself.
TEST_P(CarrierTest, FramesMayHaveBeenReadBefore) {
    const Bytes datagram(100, 7);
    for (const std::size_t read_before : {1, 150, 10'000}) {
        int fds[2];
        ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
        Owner at_sender;
        Owner at_reader;
        auto sender = make(fds[0], 1, 2, at_sender);
        for (int i = 0; i < 3; ++i) ASSERT_TRUE(sender->queue({FrameKind::datagram, 1, datagram}));
        sender->flush();
        Bytes begun(read_before);
        begun.resize(static_cast<std::size_t>(::recv(fds[1], begun.data(), begun.size(), 0)));
        auto reader = make(fds[1], 2, 1, at_reader, std::move(begun));
        ASSERT_TRUE(loop.run_until([&] { return at_reader.frames == 3; })) << read_before;
        EXPECT_EQ(at_reader.bytes, 300U);
        EXPECT_EQ(at_reader.closed, 0);
        Carrier::retire(loop.context(), std::move(sender));
        Carrier::retire(loop.context(), std::move(reader));
        loop.settle();
    }
}

TEST_P(CarrierTest, TheEndIsToldOnce) {
    Carrier::retire(loop.context(), std::move(left));
    ASSERT_TRUE(loop.run_until([&] { return at_right.closed > 0; }));
    loop.settle();
    EXPECT_EQ(at_right.closed, 1);
    EXPECT_TRUE(right->closed());
    EXPECT_FALSE(right->queue({FrameKind::datagram, 1, view_of("x")}));
}

TEST_P(CarrierTest, BytesThatAreNoFramesEndIt) {
    const Bytes garbage(64, 0xee);
    ASSERT_EQ(::send(left->fd(), garbage.data(), garbage.size(), 0), 64);
    ASSERT_TRUE(loop.run_until([&] { return at_right.closed > 0; }));
    EXPECT_EQ(at_right.reason.code, Errc::protocol);
    EXPECT_EQ(at_right.frames, 0U);
}

INSTANTIATE_TEST_SUITE_P(Both, CarrierTest, testing::Bool(),
                         [](const auto& mode) { return mode.param ? "encrypted" : "plain"; });

}  // namespace
}  // namespace tunnel::net
