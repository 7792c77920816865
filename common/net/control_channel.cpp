#include "common/net/control_channel.hpp"

#include <utility>

#include "common/net/deadline.hpp"
#include "common/net/socket.hpp"
#include "common/net/stream_io.hpp"

namespace tunnel::net {

namespace {

using asio::experimental::awaitable_operators::operator&&;

constexpr std::size_t max_outgoing = std::size_t{4} * 1024 * 1024;
constexpr std::size_t read_size = 16 * 1024;
constexpr Seconds goodbye_time{1};

}  // namespace

awaitable<Status> tls_handshake(Descriptor& socket, tls::Session& session) {
    std::array<Byte, 4096> buffer;
    for (;;) {
        const auto done = session.handshake();
        const auto output = session.take_output();
        if (!output.empty()) {
            const auto written = co_await write_all(socket, output);
            // The handshake's own error says more than that its alert could not be sent.
            if (!written && done) co_return pass(written.error());
        }
        if (!done) co_return pass(done.error());
        if (*done) co_return Status();
        const auto n = co_await read_some(socket, buffer);
        if (!n) co_return pass(n.error());
        session.feed(BytesView(buffer).first(*n));
    }
}

ControlChannel::ControlChannel(const asio::any_io_executor& executor, UniqueFd fd, tls::Session session,
                               wire::End our_end, wire::HeartbeatTimes times)
    : socket_(executor, fd.release()),
      session_(std::move(session)),
      link_(our_end, times, Clock::now()),
      output_ready_(executor),
      heartbeat_(executor) {}

awaitable<Error> ControlChannel::run(MessageHandler on_message) {
    flush();
    co_await (read_loop(std::move(on_message)) && write_loop() && heartbeat_loop());
    std::error_code ignored;
    socket_.close(ignored);
    co_return ended_.value_or(Error{Errc::closed, "the connection was closed", 0});
}

void ControlChannel::send(const wire::ControlMessage& message) {
    if (ended_ || closing_) return;
    link_.send(message);
    flush();
}

void ControlChannel::close(const wire::Goodbye& goodbye, Error reason) {
    if (ended_ || closing_) return;
    link_.send(goodbye);
    flush();
    session_.close();
    append(outgoing_, session_.take_output());
    closing_ = std::move(reason);
    // The write loop ends the channel when all has left, the heartbeat loop when that takes too long.
    output_ready_.cancel();
    heartbeat_.cancel();
}

void ControlChannel::abort(Error reason) {
    if (ended_) return;
    ended_ = std::move(reason);
    // Cancelling alone would miss a write whose wait is over but which has not gone on yet: it could then
    // wait for a peer that reads no more.
    shut_down(socket_.native_handle(), Half::read);
    shut_down(socket_.native_handle(), Half::write);
    socket_.cancel();
    output_ready_.cancel();
    heartbeat_.cancel();
}

Result<Secret> ControlChannel::export_key(std::string_view label, std::size_t length) const {
    return session_.export_key(label, {}, length);
}

void ControlChannel::set_times(wire::HeartbeatTimes times) {
    link_.set_times(times, Clock::now());
    heartbeat_.cancel();
}

void ControlChannel::flush() {
    const auto plain = link_.take_output();
    // After the goodbye nothing more is said, not even the answer to a ping that crossed it.
    if (!plain.empty() && !closing_) {
        if (auto ok = session_.write(plain); !ok) return abort(ok.error());
    }
    append(outgoing_, session_.take_output());
    if (outgoing_.size() > max_outgoing)
        return abort({Errc::limit, "the other end does not read what is sent to it", 0});
    if (!outgoing_.empty()) output_ready_.cancel();
}

Status ControlChannel::take_input(const MessageHandler& on_message) {
    std::array<Byte, read_size> plain;
    for (;;) {
        const auto n = session_.read(plain);
        if (!n) return pass(n.error());
        if (*n == 0 || ended_) return {};
        // A peer that has not heard the goodbye yet may go on for a while; that must not fill the session.
        if (closing_) continue;
        std::vector<wire::ControlMessage> messages;
        auto ok = link_.receive(BytesView(plain).first(*n), Clock::now(), messages);
        for (const auto& message : messages) {
            if (ended_ || closing_) break;
            on_message(message);
        }
        flush();
        heartbeat_.cancel();  // its deadline may be nearer now
        if (!ok && !closing_) return ok;
    }
}

awaitable<void> ControlChannel::read_loop(MessageHandler on_message) {
    std::array<Byte, read_size> buffer;
    auto ok = take_input(on_message);  // what the handshake had read already
    for (;;) {
        if (!ok) input_ended(ok.error());
        if (ended_) co_return;
        const auto n = co_await read_some(socket_, buffer);
        if (ended_) co_return;
        if (n) {
            session_.feed(BytesView(buffer).first(*n));
            ok = take_input(on_message);
        } else {
            ok = pass(n.error());
        }
    }
}

void ControlChannel::input_ended(const Error& reason) {
    const bool our_verdict =
        reason.code == Errc::protocol || reason.code == Errc::limit || reason.code == Errc::version;
    if (closing_)
        abort(*closing_);
    else if (our_verdict)
        close({wire::Goodbye::Code::protocol_error, reason.message}, reason);
    else
        abort(reason);
}

awaitable<void> ControlChannel::write_loop() {
    while (!ended_) {
        if (outgoing_.empty()) {
            // The read loop sees the peer close, too; closing before that could reset the connection and so
            // take the goodbye away from a peer that has not read it yet.
            if (closing_) co_return shut_down(socket_.native_handle(), Half::write);
            output_ready_.expires_at(asio::steady_timer::time_point::max());
            co_await output_ready_.async_wait(use_result);
            const auto state = co_await asio::this_coro::cancellation_state;
            if (state.cancelled() != asio::cancellation_type::none)
                co_return abort({Errc::closed, "cancelled", 0});
            continue;
        }
        const auto bytes = std::exchange(outgoing_, {});
        auto ok = co_await write_all(socket_, bytes);
        if (!ok) co_return abort(std::move(ok.error()));
    }
}

awaitable<void> ControlChannel::heartbeat_loop() {
    while (!ended_ && !closing_) {
        if (auto ok = link_.tick(Clock::now()); !ok) co_return abort(ok.error());
        flush();
        if (ended_) co_return;
        const bool going_on = co_await heartbeat_wait(link_.deadline());
        if (!going_on) co_return;
    }
    // Whatever the peer says meanwhile wakes this, too, and must not prolong it.
    const auto end = Clock::now() + goodbye_time;
    while (!ended_ && Clock::now() < end) {
        const bool going_on = co_await heartbeat_wait(end);
        if (!going_on) co_return;
    }
    if (!ended_) abort(*closing_);
}

awaitable<bool> ControlChannel::heartbeat_wait(TimePoint until) {
    heartbeat_.expires_at(until);
    co_await heartbeat_.async_wait(use_result);
    const auto state = co_await asio::this_coro::cancellation_state;
    if (state.cancelled() == asio::cancellation_type::none) co_return true;
    abort({Errc::closed, "cancelled", 0});
    co_return false;
}

}  // namespace tunnel::net
