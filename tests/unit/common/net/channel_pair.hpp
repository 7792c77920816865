#pragma once
// Control channels over real sockets and real TLS sessions, and a raw peer for what no channel of ours does.

#include <optional>
#include <vector>

#include "common/net/control_channel.hpp"
#include "common/wire/frame.hpp"
#include "tests/unit/common/net/test_loop.hpp"
#include "tests/unit/common/net/test_sockets.hpp"
#include "tests/unit/common/tls/session_pair.hpp"
#include "tests/unit/common/wire/link_pair.hpp"

namespace tunnel::net::test {

constexpr wire::HeartbeatTimes calm{Millis(10'000), Millis(60'000)};

// A channel that runs, what it was told and how it ended.
class ChannelEnd {
  public:
    ChannelEnd(TestLoop& loop, UniqueFd fd, tls::Session session, wire::End end, wire::HeartbeatTimes times)
        : loop_(loop), channel_(loop.executor(), std::move(fd), std::move(session), end, times) {}

    void start() { loop_.spawn(run()); }
    ControlChannel& channel() { return channel_; }
    bool wait_for_end() {
        return loop_.run_until([this] { return ended.has_value(); });
    }
    bool wait_for(std::size_t messages) {
        return loop_.run_until([this, messages] { return got.size() >= messages || ended; }) &&
               got.size() >= messages;
    }

    std::vector<wire::ControlMessage> got;
    std::function<void(const wire::ControlMessage&)> on_message;  // besides keeping it
    std::optional<Error> ended;

  private:
    awaitable<void> run() {
        auto pending = channel_.run([this](const wire::ControlMessage& message) {
            got.push_back(message);
            if (on_message) on_message(message);
        });
        auto error = co_await std::move(pending);
        ended = std::move(error);
    }
    TestLoop& loop_;
    ControlChannel channel_;
};

// The client's end of a control connection in the test's own hands: it says what it likes, and listens only
// when asked to.
class RawPeer {
  public:
    RawPeer(UniqueFd fd, tls::Session session) : fd_(std::move(fd)), session_(std::move(session)) {}
    int fd() const { return fd_.get(); }

    void say(BytesView plain) {
        ASSERT_TRUE(session_.write(plain));
        send_all(fd_.get(), session_.take_output());
    }
    void say_hello() { say(wire::encode_hello()); }
    void say(const wire::ControlMessage& message) {
        Bytes frame;
        wire::append_frame(frame, wire::encode(message));
        say(frame);
    }
    void end_tls() {
        session_.close();
        send_all(fd_.get(), session_.take_output());
    }
    void close() { fd_.reset(); }
    void reset() { test::reset(fd_); }

    // Takes what has come; the messages are in `got`.
    void listen() {
        Bytes buffer(16384);
        for (;;) {
            const auto n = ::recv(fd_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
            if (n == 0) saw_eof = true;
            if (n <= 0) return;
            session_.feed(BytesView(buffer).first(static_cast<std::size_t>(n)));
            decrypt();
        }
    }

    std::vector<wire::ControlMessage> got;
    bool saw_close_notify = false;
    bool saw_eof = false;

  private:
    void decrypt() {
        Bytes plain(16384);
        for (;;) {
            const auto n = session_.read(plain);
            if (!n) saw_close_notify = saw_close_notify || n.error().code == Errc::closed;
            if (!n || *n == 0) return;
            auto bytes = BytesView(plain).first(*n);
            const auto hello = bytes.first(std::min(bytes.size(), hello_left_));
            hello_left_ -= hello.size();
            frames_.feed(bytes.subspan(hello.size()));
            for (auto frame = frames_.next(); frame && *frame; frame = frames_.next())
                got.push_back(wire::decode(**frame).value());
        }
    }
    UniqueFd fd_;
    tls::Session session_;
    std::size_t hello_left_ = wire::hello_size;
    wire::FrameReader frames_{wire::max_frame_to_client};
};

}  // namespace tunnel::net::test
