#include "tests/unit/common/net/party.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "common/net/socket.hpp"

namespace tunnel::net::test {

using asio::experimental::awaitable_operators::operator&&;

namespace {

bool would_block(int error) {
    return error == EAGAIN || error == EWOULDBLOCK;
}

}  // namespace

std::string PartyPlan::text() const {
    const auto optional = [](const std::optional<std::size_t>& value) {
        return value ? fmt::format("{}", *value) : std::string("-");
    };
    return fmt::format(
        "send {} in {} every {}, read {} every {} start {}, half-close {}, reset at sent {} received {}",
        to_send, write_chunk, turns_between_writes, read_chunk, turns_between_reads,
        static_cast<int>(read_start), static_cast<int>(half_close), optional(reset_after_sent),
        optional(reset_after_received));
}

Party::Party(const asio::any_io_executor& executor, UniqueFd fd, PartyPlan plan)
    : plan_(plan),
      pattern_(plan.seed),
      peer_pattern_(plan.peer_seed),
      socket_(executor, fd.release()),
      eof_seen_(executor, asio::steady_timer::time_point::max()) {}

awaitable<void> Party::run() {
    co_await (send() && receive());
}

awaitable<void> Party::take_turns(int turns) {
    for (int i = 0; i < turns; ++i) co_await asio::post(asio::use_awaitable);
}

void Party::broke() {
    got_reset_ = true;
    socket_.cancel();
    eof_seen_.cancel();
}

void Party::reset_now() {
    if (over()) return;
    has_reset_ = true;
    set_reset_on_close(socket_.native_handle(), true);
    socket_.close();
    eof_seen_.cancel();
}

bool Party::is_broken() const {
    pollfd state{const_cast<Descriptor&>(socket_).native_handle(), 0, 0};
    return ::poll(&state, 1, 0) > 0 && (state.revents & POLLERR) != 0;
}

bool Party::send_some(MutableBytes buffer) {
    auto size = std::min({buffer.size(), plan_.write_chunk, plan_.to_send - sent_});
    if (plan_.reset_after_sent) size = std::min(size, *plan_.reset_after_sent - sent_);
    const auto chunk = buffer.first(size);
    pattern_.fill(chunk, sent_);
    const auto n = ::send(socket_.native_handle(), chunk.data(), chunk.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    blocked_ = n < 0 && would_block(errno);
    if (n < 0 && !blocked_) {
        broke();
        return false;
    }
    if (n > 0) sent_ += static_cast<std::size_t>(n);
    return true;
}

awaitable<void> Party::send() {
    Bytes buffer(plan_.write_chunk);
    while (!over()) {
        if (plan_.reset_after_sent && sent_ >= *plan_.reset_after_sent) {
            reset_now();
            co_return;
        }
        if (sent_ == plan_.to_send) break;
        if (!send_some(buffer)) co_return;
        if (blocked_) co_await socket_.async_wait(Descriptor::wait_write, use_result);
        co_await take_turns(plan_.turns_between_writes);
    }
    if (plan_.half_close == HalfClose::after_eof && !got_eof_ && !over())
        co_await eof_seen_.async_wait(use_result);
    if (plan_.half_close != HalfClose::never && !over()) shut_down(socket_.native_handle(), Half::write);
}

bool Party::receive_some(MutableBytes buffer, bool& more) {
    const auto room = buffer.first(std::min(buffer.size(), plan_.read_chunk));
    const auto n = ::recv(socket_.native_handle(), room.data(), room.size(), MSG_DONTWAIT);
    more = n > 0;
    if (n < 0 && !would_block(errno)) {
        broke();
        return false;
    }
    if (n == 0) {
        got_eof_ = true;
        eof_seen_.cancel();
        return false;
    }
    if (n > 0) {
        const auto bytes = room.first(static_cast<std::size_t>(n));
        if (!peer_pattern_.matches(bytes, received_)) corrupted_ = true;
        received_ += bytes.size();
    }
    return true;
}

awaitable<void> Party::receive() {
    if (plan_.read_start == ReadStart::never) co_return;
    while (plan_.read_start == ReadStart::when_sender_blocked && !peer_->stuck() && !over())
        co_await take_turns(1);
    Bytes buffer(plan_.read_chunk);
    while (!over()) {
        if (plan_.reset_after_received && received_ >= *plan_.reset_after_received) {
            reset_now();
            co_return;
        }
        bool more = false;
        if (!receive_some(buffer, more)) co_return;
        if (!more) co_await socket_.async_wait(Descriptor::wait_read, use_result);
        co_await take_turns(plan_.turns_between_reads);
    }
}

}  // namespace tunnel::net::test
