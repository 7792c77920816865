#include "common/net/relay.hpp"

#include <cerrno>
#include <system_error>
#include <utility>

#include "common/net/socket.hpp"

namespace tunnel::net {

using asio::experimental::awaitable_operators::operator&&;

std::string_view to_string(RelayEnd end) {
    switch (end) {
        case RelayEnd::finished:
            return "finished";
        case RelayEnd::outer_failed:
            return "outer_failed";
        case RelayEnd::data_failed:
            return "data_failed";
        case RelayEnd::truncated:
            return "truncated";
        case RelayEnd::tampered:
            return "tampered";
        case RelayEnd::key_used_up:
            return "key_used_up";
        case RelayEnd::refused:
            return "refused";
        case RelayEnd::no_answer:
            return "no_answer";
        case RelayEnd::dead_peer:
            return "dead_peer";
        case RelayEnd::closed:
            return "closed";
        case RelayEnd::drained:
            return "drained";
    }
    return "closed";
}

Relay::Relay(const asio::any_io_executor& executor, Resources resources, UniqueFd outer, UniqueFd data,
             std::optional<RecordLayers> records)
    : resources_(resources),
      outer_(executor, outer.release()),
      data_(executor, data.release()),
      records_(std::move(records)) {}

awaitable<RelayResult> Relay::run(Prologue prologue) {
    const auto started = Clock::now();
    for (Side side : {Side::outer, Side::data}) {
        set_reset_on_close(fd(side), true);
        set_no_delay(fd(side));
    }
    co_await (to_data() && to_outer(std::move(prologue)));
    if (!failure_) {
        for (Side side : {Side::outer, Side::data}) set_reset_on_close(fd(side), false);
    }
    outer_.close();
    data_.close();
    RelayResult result;
    if (failure_) {
        result.end = failure_->end;
        result.detail = std::move(failure_->detail);
    }
    result.from_outer = from_outer_;
    result.to_outer = to_outer_;
    result.duration = std::chrono::duration_cast<Millis>(Clock::now() - started);
    co_return result;
}

void Relay::abort(RelayEnd reason, std::string detail) {
    fail(reason, std::move(detail));
}

bool Relay::fail(RelayEnd end, std::string detail) {
    // The first failure is the reason; what follows from it is noise.
    if (!failure_) failure_ = Refusal{end, std::move(detail)};
    outer_.cancel();
    data_.cancel();
    return false;
}

bool Relay::fail_side(Side side, int error) {
    return fail(side == Side::outer ? RelayEnd::outer_failed : RelayEnd::data_failed,
                std::generic_category().message(error));
}

awaitable<void> Relay::to_data() {
    co_await asio::this_coro::throw_if_cancelled(false);  // see notice_cancellation()
    if (failure_) co_return;                              // aborted before it ran
    // Not a conditional expression: GCC 12 destroys awaitables in one twice.
    bool ended = false;
    if (records_)
        ended = co_await seal_pump();
    else
        ended = co_await splice_pump(Side::outer);
    if (ended) co_await finish_direction(Side::outer);
}

awaitable<void> Relay::to_outer(Prologue prologue) {
    co_await asio::this_coro::throw_if_cancelled(false);
    if (failure_) co_return;  // the other direction began first and found its socket broken
    if (prologue) {
        auto refusal = co_await prologue(data_);
        if (refusal) fail(refusal->end, std::move(refusal->detail));
        if (failure_) co_return;
    }
    bool ended = false;
    if (records_)
        ended = co_await open_pump();
    else
        ended = co_await splice_pump(Side::data);
    if (ended) co_await finish_direction(Side::data);
}

awaitable<void> Relay::finish_direction(Side from) {
    shut_down(fd(other(from)), Half::write);
    if (++directions_ended_ == 2) {
        // Wakes the other direction, which watches its source.
        outer_.cancel();
        data_.cancel();
        co_return;
    }
    co_await watch_for_reset(from);
}

awaitable<void> Relay::watch_for_reset(Side side) {
    // This direction reads no more, so nothing else would notice that its source went away for good.
    const auto [error] = co_await socket(side).async_wait(Descriptor::wait_error, use_result);
    if (error || failure_ || directions_ended_ == 2) co_return;
    // Urgent data wakes this wait too; with some pending it would do so for ever, so there is no second one.
    check_for_reset(side);
}

void Relay::watch_stalled_source(Side side) {
    bool& watched = stall_watched_[side == Side::outer ? 0 : 1];
    if (std::exchange(watched, true)) return;
    if (!self_) self_ = std::make_shared<Relay*>(this);
    socket(side).async_wait(Descriptor::wait_error,
                            [&watched, side, self = std::weak_ptr(self_)](const std::error_code& error) {
                                const auto relay = self.lock();
                                if (!relay) return;
                                watched = false;
                                if (!error && !(*relay)->failure_) (*relay)->check_for_reset(side);
                            });
}

bool Relay::check_for_reset(Side side) {
    if (!is_broken(fd(side))) return false;
    int reason = 0;
    socklen_t size = sizeof reason;
    (void)::getsockopt(fd(side), SOL_SOCKET, SO_ERROR, &reason, &size);
    fail_side(side, reason != 0 ? reason : ECONNRESET);
    return true;
}

}  // namespace tunnel::net
