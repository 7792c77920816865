// The four ways one direction of a relay is moved. relay.cpp holds what they have in common.

#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "common/net/relay.hpp"
#include "common/net/worker.hpp"

namespace tunnel::net {

namespace {

// Rounds of one direction before other connections get their turn: one bulk stream must not starve the rest.
constexpr int rounds_per_turn = 16;
constexpr std::size_t copy_size = 64 * 1024;

// Lends a pipe to one pump while bytes are in flight.
class LeasedPipe {
  public:
    explicit LeasedPipe(PipePool& pool) : pool_(pool) {}
    LeasedPipe(const LeasedPipe&) = delete;
    LeasedPipe& operator=(const LeasedPipe&) = delete;
    ~LeasedPipe() { give_back(); }
    bool hold() {
        if (!pipe_) pipe_ = pool_.lease();
        return pipe_.has_value();
    }
    void give_back() {
        if (pipe_) pool_.give_back(std::move(*pipe_));
        pipe_.reset();
    }
    Pipe& get() { return *pipe_; }

  private:
    PipePool& pool_;
    std::optional<Pipe> pipe_;
};

bool would_block(int error) {
    return error == EAGAIN || error == EWOULDBLOCK;
}

}  // namespace

awaitable<void> Relay::yield() {
    co_await asio::post(asio::use_awaitable);
    co_await notice_cancellation();
}

awaitable<void> Relay::notice_cancellation() {
    const auto state = co_await asio::this_coro::cancellation_state;
    if (state.cancelled() != asio::cancellation_type::none) fail(RelayEnd::closed, "cancelled");
}

awaitable<void> Relay::readable(Side side) {
    if (failure_) co_return;
    const auto [error] = co_await socket(side).async_wait(Descriptor::wait_read, use_result);
    if (error) fail(RelayEnd::closed, "cancelled");
}

awaitable<void> Relay::writable(Side side) {
    if (failure_) co_return;
    watch_stalled_source(other(side));
    const auto [error] = co_await socket(side).async_wait(Descriptor::wait_write, use_result);
    if (error) fail(RelayEnd::closed, "cancelled");
}

// Only ever fills an empty pipe: EAGAIN would otherwise mean "socket empty" or "pipe full" with no way to
// tell.
Relay::Filled Relay::fill(Pipe& pipe, Side from) {
    for (;;) {
        const auto n = ::splice(fd(from), nullptr, pipe.write.get(), nullptr, pipe.capacity,
                                SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
        if (n > 0) {
            pipe.bytes_inside = static_cast<std::size_t>(n);
            return Filled::bytes;
        }
        if (n == 0) return Filled::end;
        if (errno == EINTR) continue;
        if (would_block(errno)) return Filled::nothing;
        if (errno == EINVAL || errno == ENOSYS) return Filled::refused;
        fail_side(from, errno);
        return Filled::failed;
    }
}

awaitable<bool> Relay::splice_pump(Side from) {
    const Side to = other(from);
    LeasedPipe lease(resources_.pipes);
    for (int round = 1;; ++round) {
        auto filled = Filled::nothing;
        if (lease.hold()) {
            filled = fill(lease.get(), from);
        } else {
            const auto end = co_await copy_what_is_there(from);
            if (end) co_return *end;
        }
        if (filled == Filled::end) co_return true;
        if (filled == Filled::failed) co_return false;
        if (filled == Filled::refused) {
            lease.give_back();
            co_return co_await copy_pump(from);
        }
        if (filled == Filled::nothing) {
            lease.give_back();
            co_await readable(from);
            if (failure_) co_return false;
            continue;
        }
        auto& pipe = lease.get();
        while (pipe.bytes_inside > 0) {
            const auto n = ::splice(pipe.read.get(), nullptr, fd(to), nullptr, pipe.bytes_inside,
                                    SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
            if (n > 0) {
                pipe.bytes_inside -= static_cast<std::size_t>(n);
                moved(from) += static_cast<std::uint64_t>(n);
            } else if (n < 0 && would_block(errno)) {
                co_await writable(to);
                if (failure_) co_return false;
            } else if (n == 0 || errno != EINTR) {
                co_return fail_side(to, n == 0 ? EPIPE : errno);
            }
        }
        if (round % rounds_per_turn == 0) co_await yield();
        if (failure_) co_return false;
    }
}

awaitable<bool> Relay::copy_pump(Side from) {
    for (;;) {
        const auto end = co_await copy_what_is_there(from);
        if (end) co_return *end;
        co_await readable(from);
        if (failure_) co_return false;
    }
}

awaitable<std::optional<bool>> Relay::copy_what_is_there(Side from) {
    auto& buffer = resources_.scratch.in;
    for (int round = 1;; ++round) {
        const auto n = ::recv(fd(from), buffer.data(), copy_size, MSG_DONTWAIT);
        if (n == 0) co_return true;
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && would_block(errno)) co_return std::nullopt;
        if (n < 0) co_return fail_side(from, errno);
        const auto size = static_cast<std::size_t>(n);
        co_await send(other(from), BytesView(buffer).first(size));
        if (failure_) co_return false;
        moved(from) += size;
        if (size < copy_size) co_return std::nullopt;
        if (round % rounds_per_turn == 0) co_await yield();
        if (failure_) co_return false;
    }
}

awaitable<void> Relay::send(Side to, BytesView bytes) {
    Bytes rest;
    while (!bytes.empty()) {
        const auto n = ::send(fd(to), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n >= 0) {
            bytes = bytes.subspan(static_cast<std::size_t>(n));
            continue;
        }
        if (errno == EINTR) continue;
        if (!would_block(errno)) {
            fail_side(to, errno);
            co_return;
        }
        if (rest.empty()) {
            // Scratch memory belongs to whoever runs next.
            rest.assign(bytes.begin(), bytes.end());
            bytes = rest;
        }
        co_await writable(to);
        if (failure_) co_return;
    }
}

awaitable<bool> Relay::seal_pump() {
    auto& scratch = resources_.scratch;
    for (int round = 1;; ++round) {
        const auto n = ::recv(fd(Side::outer), scratch.in.data(), copy_size, MSG_DONTWAIT);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && !would_block(errno)) co_return fail_side(Side::outer, errno);
        if (n < 0) {
            co_await readable(Side::outer);
            if (failure_) co_return false;
            continue;
        }
        const auto size = static_cast<std::size_t>(n);
        const auto sealed = size > 0
                                ? records_->sealer.seal_many(BytesView(scratch.in).first(size), scratch.out)
                                : records_->sealer.close_notify(scratch.out);
        if (!sealed) co_return fail(RelayEnd::key_used_up, sealed.error().message);
        co_await send(Side::data, BytesView(scratch.out).first(*sealed));
        if (failure_) co_return false;
        if (size == 0) co_return true;
        from_outer_ += size;
        if (size < copy_size)
            co_await readable(Side::outer);
        else if (round % rounds_per_turn == 0)
            co_await yield();
        if (failure_) co_return false;
    }
}

// What one read of the data connection came to.
struct Relay::Opened {
    std::size_t plaintext = 0;  // bytes in scratch.out
    std::size_t consumed = 0;   // bytes of whole records; the rest is the beginning of the next one
    bool closed = false;        // close_notify was among them
    bool failed = false;
};

Relay::Opened Relay::open_records(BytesView bytes) {
    Opened opened;
    auto& out = resources_.scratch.out;
    while (!opened.closed && bytes.size() - opened.consumed >= tls::record_header_size) {
        const auto rest = bytes.subspan(opened.consumed);
        const auto size = tls::RecordOpener::record_size(rest.first(tls::record_header_size));
        if (size && rest.size() < *size) break;
        const auto record =
            size ? records_->opener.open(rest.first(*size), MutableBytes(out).subspan(opened.plaintext))
                 : tl::unexpected<Error>(size.error());
        if (!record) {
            const bool limit = record.error().code == Errc::limit;
            fail(limit ? RelayEnd::key_used_up : RelayEnd::tampered, record.error().message);
            opened.failed = true;
            return opened;
        }
        opened.consumed += *size;
        opened.plaintext += record->size;
        opened.closed = record->closed;
    }
    return opened;
}

awaitable<bool> Relay::open_pump() {
    auto& scratch = resources_.scratch;
    Bytes held;  // the beginning of a record whose rest has not come yet
    for (int round = 1;; ++round) {
        std::copy(held.begin(), held.end(), scratch.in.begin());
        const auto n = ::recv(fd(Side::data), scratch.in.data() + held.size(), copy_size, MSG_DONTWAIT);
        if (n == 0) co_return fail(RelayEnd::truncated, "the data connection ended without close_notify");
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && !would_block(errno)) co_return fail_side(Side::data, errno);
        if (n < 0) {
            co_await readable(Side::data);
            if (failure_) co_return false;
            continue;
        }
        const auto bytes = BytesView(scratch.in).first(held.size() + static_cast<std::size_t>(n));
        const auto opened = open_records(bytes);
        if (opened.failed) co_return false;
        const auto rest = bytes.subspan(opened.consumed);
        Bytes next_held(rest.begin(), rest.end());
        held = std::move(next_held);
        if (opened.plaintext > 0) {
            co_await send(Side::outer, BytesView(scratch.out).first(opened.plaintext));
            if (failure_) co_return false;
            to_outer_ += opened.plaintext;
        }
        if (opened.closed) co_return true;
        if (static_cast<std::size_t>(n) < copy_size)
            co_await readable(Side::data);
        else if (round % rounds_per_turn == 0)
            co_await yield();
        if (failure_) co_return false;
    }
}

}  // namespace tunnel::net
