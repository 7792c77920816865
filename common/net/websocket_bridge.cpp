#include "common/net/websocket_bridge.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "common/core/secret.hpp"
#include "common/net/stream_io.hpp"

namespace tunnel::net {

namespace {

using asio::experimental::awaitable_operators::operator&&;
using wire::WebSocketOpcode;

constexpr Millis longest_interval{25'000};
constexpr Seconds goodbye_limit{5};
constexpr std::size_t read_size = std::size_t{32} * 1024;
constexpr std::uint16_t normal_closure = 1000;

void sleep_for_ever(asio::steady_timer& timer) {
    timer.expires_at(asio::steady_timer::time_point::max());
}

}  // namespace

WebSocketBridge::WebSocketBridge(OuterStream outer, UniqueFd local, wire::End our_end, Liveness liveness)
    : our_end_(our_end),
      liveness_{std::min(liveness.interval, longest_interval), liveness.timeout},
      outer_(std::move(outer)),
      local_(outer_.socket().get_executor(), local.release()),
      reader_(our_end),
      more_(outer_.socket().get_executor()),
      room_(outer_.socket().get_executor()),
      tick_(outer_.socket().get_executor()),
      heard_(Clock::now()) {
    prepare_for_relay(outer_.fd(), liveness_);
    set_no_delay(local_.native_handle());
    set_reset_on_close(local_.native_handle(), true);
    sleep_for_ever(more_);
    sleep_for_ever(room_);
}

awaitable<Status> WebSocketBridge::run() {
    co_await (read_outer() && read_local() && write_outer() && keep_alive() &&
              watch(outer_.socket(), "the WebSocket connection") && watch(local_, "the carried connection"));
    if (failure_) co_return pass(*failure_);
    co_return Status();
}

// Both are closed at once: a task that is about to wait then fails instead, and both peers hear a reset.
void WebSocketBridge::fail_with(Error error) {
    if (done_) return;
    failure_ = std::move(error);
    done_ = true;
    std::error_code ignored;
    outer_.socket().close(ignored);
    local_.close(ignored);
    for (auto* timer : {&more_, &room_, &tick_}) timer->cancel();
}

void WebSocketBridge::finish() {
    if (done_) return;
    done_ = true;
    set_reset_on_close(outer_.fd(), false);
    set_reset_on_close(local_.native_handle(), false);
    std::error_code ignored;
    outer_.socket().close(ignored);
    local_.close(ignored);
    for (auto* timer : {&more_, &room_, &tick_}) timer->cancel();
}

std::optional<wire::WebSocketMask> WebSocketBridge::mask() const {
    if (our_end_ == wire::End::server) return std::nullopt;
    wire::WebSocketMask fresh;
    fill_random(fresh);
    return fresh;
}

void WebSocketBridge::send(WebSocketOpcode opcode, BytesView payload) {
    Bytes frame;
    frame.reserve(payload.size() + wire::max_websocket_overhead);
    wire::append_websocket_frame(frame, opcode, payload, mask());
    queue(frame);
}

void WebSocketBridge::queue(BytesView frame) {
    if (done_) return;
    const auto sealed = outer_.seal(frame);
    if (!sealed) return fail_with(sealed.error());
    append(outgoing_, *sealed);
    more_.cancel();
}

// Once both directions have ended nothing of the stream can be lost any more.
void WebSocketBridge::say_goodbye() {
    if (!local_ended_ || !outer_ended_ || goodbye_ || done_) return;
    Bytes frame;
    wire::append_websocket_close(frame, normal_closure, mask());
    queue(frame);
    append(outgoing_, outer_.seal_end());
    goodbye_ = Clock::now() + liveness_.timeout;
    more_.cancel();
    tick_.cancel();
}

awaitable<void> WebSocketBridge::read_outer() {
    while (!done_) {
        auto bytes = co_await outer_.read();
        if (done_) co_return;
        // To the very end: closing with bytes unread would reset what we have sent.
        if (!bytes && goodbye_) {
            peer_gone_ = true;
            if (flushed_) finish();
            co_return;
        }
        if (!bytes) co_return fail_with(std::move(bytes.error()));
        if (goodbye_) continue;
        heard_ = Clock::now();
        wire::WebSocketInput input;
        auto ok = reader_.feed(*bytes, input);
        bytes = Bytes();
        // What came before the mistake is good, and is dropped all the same: both ends hear a reset.
        if (!ok) co_return fail_with(std::move(ok.error()));
        const bool going_on = co_await take_input(std::move(input));
        if (!going_on) co_return;
    }
}

awaitable<bool> WebSocketBridge::take_input(wire::WebSocketInput input) {
    if (input.ping && outgoing_.empty()) send(WebSocketOpcode::pong, *input.ping);
    if (!input.data.empty()) {
        reading_ = false;
        auto ok = co_await write_all(local_, input.data);
        reading_ = true;
        heard_ = Clock::now();
        if (!ok) fail_with(std::move(ok.error()));
        if (done_) co_return false;
    }
    if (input.ended) {
        outer_ended_ = true;
        shut_down(local_.native_handle(), Half::write);
        say_goodbye();
    }
    if (input.closed && !goodbye_)
        fail_with({Errc::closed, "the WebSocket connection was closed before its stream had ended", 0});
    co_return !done_;
}

awaitable<void> WebSocketBridge::read_local() {
    while (!done_) {
        while (!outgoing_.empty() && !done_) {
            co_await room_.async_wait(use_result);
        }
        if (done_) co_return;
        const auto [error] = co_await local_.async_wait(Descriptor::wait_read, use_result);
        if (done_) co_return;
        if (error) co_return fail_with({Errc::closed, "cancelled", 0});
        Bytes bytes(read_size);
        const auto n = ::recv(local_.native_handle(), bytes.data(), bytes.size(), MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) continue;
        if (n < 0) co_return fail_with(fail_errno(errno, "the carried connection broke").value());
        send(WebSocketOpcode::binary, BytesView(bytes).first(static_cast<std::size_t>(n)));
        if (n > 0) continue;
        local_ended_ = true;
        co_return say_goodbye();
    }
}

awaitable<void> WebSocketBridge::write_outer() {
    while (!done_) {
        if (outgoing_.empty()) {
            if (goodbye_) {
                flushed_ = true;
                if (peer_gone_) co_return finish();
                shut_down(outer_.fd(), Half::write);
                goodbye_ = Clock::now() + goodbye_limit;
                tick_.cancel();
                co_return;
            }
            co_await more_.async_wait(use_result);
            const auto state = co_await asio::this_coro::cancellation_state;
            if (state.cancelled() != asio::cancellation_type::none)
                co_return fail_with({Errc::closed, "cancelled", 0});
            continue;
        }
        const auto bytes = std::exchange(outgoing_, {});
        room_.cancel();
        auto ok = co_await write_all(outer_.socket(), bytes);
        if (!ok) co_return fail_with(std::move(ok.error()));
    }
}

awaitable<void> WebSocketBridge::keep_alive() {
    while (!done_) {
        tick_.expires_at(goodbye_ ? *goodbye_ : Clock::now() + liveness_.interval);
        co_await tick_.async_wait(use_result);
        const auto state = co_await asio::this_coro::cancellation_state;
        if (state.cancelled() != asio::cancellation_type::none)
            co_return fail_with({Errc::closed, "cancelled", 0});
        const auto now = Clock::now();
        const bool silent = !goodbye_ && reading_ && now - heard_ >= liveness_.timeout;
        const bool late = goodbye_ && now >= *goodbye_;
        if (late && flushed_) co_return finish();
        if (silent || late)
            co_return fail_with(
                {Errc::timeout, fmt::format("no answer for {}", format_duration(liveness_.timeout)), 0});
        // Bytes that wait to leave are sign enough.
        if (!goodbye_ && outgoing_.empty()) send(WebSocketOpcode::ping, {});
    }
}

awaitable<void> WebSocketBridge::watch(Descriptor& socket, std::string_view whose) {
    const auto [error] = co_await socket.async_wait(Descriptor::wait_error, use_result);
    if (error || done_) co_return;
    // Forgotten once it is asked for, so that a read would take the reset for an end.
    if (const int broken = take_error(socket.native_handle()); broken != 0)
        fail_with(fail_errno(broken, fmt::format("{} broke", whose)).value());
}

}  // namespace tunnel::net
