#include "common/net/stream_io.hpp"

#include <gtest/gtest.h>

#include <cerrno>

#include "tests/unit/common/net/test_loop.hpp"
#include "tests/unit/common/net/test_sockets.hpp"

namespace tunnel::net {
namespace {

using test::TcpPair;
using test::TestLoop;

class StreamIo : public testing::Test {
  protected:
    explicit StreamIo(test::BufferSizes sizes = {}) : pair_(sizes) {
        socket_.emplace(loop_.executor(), pair_.near.release());
    }
    TestLoop loop_;
    TcpPair pair_;
    std::optional<Descriptor> socket_;
};

awaitable<void> read_into(Descriptor& socket, Bytes& out, std::optional<Status>& result) {
    auto ok = co_await read_exactly(socket, out);
    result = std::move(ok);
}

awaitable<void> write_from(Descriptor& socket, BytesView bytes, std::optional<Status>& result) {
    auto ok = co_await write_all(socket, bytes);
    result = std::move(ok);
}

TEST_F(StreamIo, ReadsExactlyAndLeavesTheRestInTheKernel) {
    test::send_all(pair_.far.get(), view_of("headbody"));
    Bytes head(4);
    std::optional<Status> result;
    loop_.spawn(read_into(*socket_, head, result));
    loop_.run();
    ASSERT_TRUE(*result);
    EXPECT_EQ(text_of(head), "head");
    EXPECT_EQ(text_of(test::receive_exactly(socket_->native_handle(), 4)), "body");
}

TEST_F(StreamIo, ReadWaitsForTheLastByte) {
    Bytes head(4);
    std::optional<Status> result;
    loop_.spawn(read_into(*socket_, head, result));
    for (const auto* part : {"h", "ea", "d"}) {
        loop_.settle();
        EXPECT_FALSE(result);
        test::send_all(pair_.far.get(), view_of(part));
    }
    loop_.run();
    ASSERT_TRUE(*result);
    EXPECT_EQ(text_of(head), "head");
}

TEST_F(StreamIo, AnEndInTheMiddleIsClosed) {
    test::send_all(pair_.far.get(), view_of("he"));
    pair_.far.reset();
    Bytes head(4);
    std::optional<Status> result;
    loop_.spawn(read_into(*socket_, head, result));
    loop_.run();
    ASSERT_FALSE(*result);
    EXPECT_EQ(result->error().code, Errc::closed);
}

TEST_F(StreamIo, AResetIsAnIoError) {
    test::reset(pair_.far);
    Bytes head(4);
    std::optional<Status> result;
    loop_.spawn(read_into(*socket_, head, result));
    loop_.run();
    ASSERT_FALSE(*result);
    EXPECT_EQ(result->error().code, Errc::io);
    EXPECT_EQ(result->error().sys_errno, ECONNRESET);
}

TEST_F(StreamIo, ACancelledReadIsATimeout) {
    Bytes head(4);
    std::optional<Status> result;
    loop_.spawn(read_into(*socket_, head, result));
    loop_.settle();
    socket_->cancel();
    loop_.run();
    ASSERT_FALSE(*result);
    EXPECT_EQ(result->error().code, Errc::timeout);
}

class SmallBuffers : public StreamIo {
  protected:
    SmallBuffers() : StreamIo({4096, 4096}) {}
};

TEST_F(SmallBuffers, WritesAllHoweverLittleTheSocketTakes) {
    Bytes bytes(300'000);
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<Byte>(i * 31 >> 3);
    std::optional<Status> result;
    loop_.spawn(write_from(*socket_, bytes, result));
    Bytes got;
    Bytes buffer(1 << 16);
    loop_.run_until([&] {
        const auto n = ::recv(pair_.far.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
        if (n > 0) append(got, BytesView(buffer).first(static_cast<std::size_t>(n)));
        return got.size() == bytes.size();
    });
    loop_.run();
    ASSERT_TRUE(*result);
    EXPECT_EQ(got, bytes);
}

TEST_F(SmallBuffers, ACancelledWriteIsATimeoutAndABrokenOneAnIoError) {
    const Bytes bytes(1 << 20);
    std::optional<Status> result;
    loop_.spawn(write_from(*socket_, bytes, result));
    loop_.settle();
    ASSERT_FALSE(result);
    socket_->cancel();
    loop_.run();
    EXPECT_EQ(result->error().code, Errc::timeout);
    test::reset(pair_.far);
    loop_.spawn(write_from(*socket_, bytes, result));
    loop_.run();
    EXPECT_EQ(result->error().code, Errc::io);
}

}  // namespace
}  // namespace tunnel::net
