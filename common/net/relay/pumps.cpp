// How one direction of a plain data connection is moved, and what all directions have in common. records.cpp
// has the encrypted ones, relay.cpp a relay's life.

#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <limits>

#include "common/net/relay/relay.hpp"

namespace tunnel::net {

namespace {

// Reads of one direction before other connections get their turn: one bulk stream must not starve the rest.
constexpr int reads_per_turn = 16;
// With the opening: what a visitor says first, in one segment's time.
constexpr std::size_t first_size = 16 * 1024;
constexpr std::size_t copy_size = 64 * 1024;
// Splicing less than this until the source is empty was not worth its pipe.
constexpr std::size_t worth_splicing = 16 * 1024;
constexpr int little_enough = 2;

// Payload that was read from the source so far.
std::uint64_t read_of(const Direction& direction) {
    return direction.moved + direction.rest_counts + (direction.pipe ? direction.pipe->bytes_inside : 0);
}

bool would_block(int error) {
    return error == EAGAIN || error == EWOULDBLOCK;
}

}  // namespace

void Relay::pump(Direction& direction) {
    for (int reads = 0; reads < reads_per_turn; ++reads) {
        if (!flush(direction)) return direction.throttle ? direction.throttle->rest() : void();
        if (completing_) return;
        if (direction.source_ended) return finish(direction);
        if (!direction.readable || direction.held) return rest(direction);
        if (!may_read(direction)) return;
        if (!opening_.empty() && &direction == &outward_in_) {
            flush_opening();
            if (completing_) return;
            continue;
        }
        const auto before = read_of(direction);
        switch (direction.way) {
            case Direction::Way::copy:
                copy(direction);
                break;
            case Direction::Way::splice:
                splice(direction);
                break;
            case Direction::Way::seal:
                seal(direction);
                break;
            case Direction::Way::open:
                open(direction);
                break;
        }
        if (direction.throttle) direction.throttle->used(read_of(direction) - before);
        if (completing_) return;
        // Until the opening is there the other end holds back what is more than a request.
        if (!opening_.empty() && direction.moved >= worth_splicing) flush_opening();
    }
    resources_.events.again(source(direction));
}

void Relay::send_opening(BytesView opening, BytesView taken) {
    auto& scratch = resources_.scratch;
    const bool seals = outward_in_.way == Direction::Way::seal;
    const auto header = in_chunks(outward_in_) ? wire::chunk_header_size : 0;
    // Where the outer socket's bytes go: behind the opening, or into records that do.
    const auto first = MutableBytes(scratch.in).subspan(seals ? 0 : opening.size() + header);
    auto size = taken.size();
    std::copy(taken.begin(), taken.end(), first.begin());
    if (taken.empty()) {
        const auto n = receive(outward_in_, first.first(first_size));
        if (n < 0) no_bytes(outward_in_, errno);
        if (completing_) return;
        size = static_cast<std::size_t>(std::max<ssize_t>(n, 0));  // an end is read once more
    }
    if (outward_in_.throttle) outward_in_.throttle->used(size);
    if (size > 0 && size < first_size && !outer_.hung_up) outward_in_.readable = false;
    auto& out = seals ? scratch.out : scratch.in;
    std::copy(opening.begin(), opening.end(), out.begin());
    auto total = opening.size() + size;
    if (seals && size > 0) {
        const auto sealed =
            records_->sealer.seal_many(first.first(size), MutableBytes(out).subspan(opening.size()));
        if (!sealed) {
            fail(RelayEnd::key_used_up, sealed.error().message);
            return;
        }
        total = opening.size() + *sealed;
    } else if (header > 0 && size > 0) {
        const auto bytes = reuse_->out.header(size);
        std::copy(bytes.begin(), bytes.end(), out.begin() + static_cast<std::ptrdiff_t>(opening.size()));
        total += header;
    }
    write(outward_in_, BytesView(out).first(total), size);
}

// What was read of the data connection along with what comes before the stream.
void Relay::take_begun(BytesView begun) {
    if (begun.empty()) return;
    const auto bytes = MutableBytes(resources_.scratch.in).first(begun.size());
    std::copy(begun.begin(), begun.end(), bytes.begin());
    const auto before = read_of(data_in_);
    if (data_in_.way == Direction::Way::open)
        take_records(data_in_, bytes);
    else if (in_chunks(data_in_))
        read_chunks(data_in_, bytes);
    else
        write(data_in_, bytes, bytes.size());
    if (data_in_.throttle) data_in_.throttle->used(read_of(data_in_) - before);
}

bool Relay::may_read(Direction& direction) {
    read_limit_ = std::numeric_limits<std::size_t>::max();
    if (!direction.throttle) return true;
    read_limit_ = direction.throttle->allowance(Clock::now());
    if (read_limit_ > 0) return true;
    // Others have a use for the pipe meanwhile.
    if (direction.pipe) resources_.pipes.give_back(std::move(*direction.pipe));
    direction.pipe.reset();
    return false;
}

bool Relay::flush(Direction& direction) {
    direction.stuck = false;
    if (direction.pipe && direction.pipe->bytes_inside > 0 && !flush_pipe(direction)) return false;
    while (direction.rest_sent < direction.rest.size()) {
        const auto n = ::send(target(direction).fd.get(), direction.rest.data() + direction.rest_sent,
                              direction.rest.size() - direction.rest_sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n >= 0) {
            direction.rest_sent += static_cast<std::size_t>(n);
            given(direction, static_cast<std::size_t>(n));
        } else if (would_block(errno)) {
            wait_for_room(direction);
            return false;
        } else if (errno != EINTR) {
            return fail_at(target(direction), errno);
        }
    }
    if (direction.rest_sent > 0) {
        direction.rest = Bytes();
        direction.rest_sent = 0;
        direction.moved += std::exchange(direction.rest_counts, 0);
    }
    return true;
}

bool Relay::flush_pipe(Direction& direction) {
    auto& pipe = *direction.pipe;
    while (pipe.bytes_inside > 0) {
        const auto n = ::splice(pipe.read.get(), nullptr, target(direction).fd.get(), nullptr,
                                pipe.bytes_inside, SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
        if (n > 0) {
            pipe.bytes_inside -= static_cast<std::size_t>(n);
            given(direction, static_cast<std::size_t>(n));
            direction.moved += static_cast<std::uint64_t>(n);
        } else if (n < 0 && would_block(errno)) {
            wait_for_room(direction);
            return false;
        } else if (n == 0 || errno != EINTR) {
            return fail_at(target(direction), n == 0 ? EPIPE : errno);
        }
    }
    return true;
}

void Relay::no_bytes(Direction& direction, int error) {
    if (error == EINTR) return;
    if (would_block(error))
        direction.readable = false;
    else
        fail_at(source(direction), error);
}

ssize_t Relay::receive(Direction& direction, MutableBytes into) {
    const int fd = source(direction).fd.get();
    if (!taken_ || &direction != &outward_in_) return ::recv(fd, into.data(), into.size(), MSG_DONTWAIT);
    const auto room = std::min(into.size(), most_taken - taken_->size());
    const auto n = ::recv(fd, into.data(), room, MSG_DONTWAIT);
    if (n == 0) {  // the end, or what there is no room for, is read when the relay has settled
        errno = EAGAIN;
        return -1;
    }
    if (n > 0) append(*taken_, into.first(static_cast<std::size_t>(n)));
    return n;
}

void Relay::copy(Direction& direction) {
    if (kernel_opens(direction)) return copy_opened(direction);
    const bool chunks = in_chunks(direction);
    const bool with_header = chunks && &direction == &outward_in_;
    const MutableBytes buffer(resources_.scratch.in);
    const auto bytes = buffer.subspan(with_header ? wire::chunk_header_size : 0);
    const auto room = std::min(copy_size, read_limit_);
    const auto n = receive(direction, bytes.first(room));
    if (n < 0) return no_bytes(direction, errno);
    if (n == 0) return end_of_source(direction);
    const auto size = static_cast<std::size_t>(n);
    if (size == room && size >= worth_splicing && !taken_ && !chunks)
        direction.way = direction.may_splice ? Direction::Way::splice : Direction::Way::copy;
    else if ((size < room || has_taken_most()) && !source(direction).hung_up)
        direction.readable = false;  // it has been emptied (epoll(7)): what comes later is told of
    if (with_header)
        write_chunk(direction, buffer, size);
    else if (chunks)
        read_chunks(direction, bytes.first(size));
    else
        write(direction, bytes.first(size), size);
}

// Only ever fills an empty pipe: EAGAIN would otherwise mean "socket empty" or "pipe full" with no way to
// tell.
void Relay::splice(Direction& direction) {
    if (!direction.pipe) direction.pipe = resources_.pipes.lease();
    if (!direction.pipe) return copy(direction);
    if (kernel_opens(direction)) return splice_opened(direction);
    auto& pipe = *direction.pipe;
    const auto n = ::splice(source(direction).fd.get(), nullptr, pipe.write.get(), nullptr,
                            std::min(pipe.capacity, read_limit_), SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
    if (n > 0) {
        pipe.bytes_inside = static_cast<std::size_t>(n);
        direction.spliced += pipe.bytes_inside;
        return;
    }
    if (n == 0) {
        direction.source_ended = true;
        return;
    }
    if (errno != EINVAL && errno != ENOSYS) return no_bytes(direction, errno);
    direction.may_splice = false;
    direction.way = Direction::Way::copy;
}

void Relay::rest(Direction& direction) {
    if (direction.pipe) resources_.pipes.give_back(std::move(*direction.pipe));
    direction.pipe.reset();
    if (direction.throttle) direction.throttle->rest();
    if (direction.way != Direction::Way::splice) return;
    const bool little = std::exchange(direction.spliced, 0) < worth_splicing;
    direction.little = static_cast<std::uint8_t>(little ? direction.little + 1 : 0);
    if (direction.little < little_enough) return;
    direction.little = 0;
    direction.way = Direction::Way::copy;
}

void Relay::write(Direction& direction, BytesView bytes, std::size_t counts) {
    while (!bytes.empty()) {
        const auto n =
            ::send(target(direction).fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n >= 0) {
            bytes = bytes.subspan(static_cast<std::size_t>(n));
            given(direction, static_cast<std::size_t>(n));
        } else if (would_block(errno)) {
            // Scratch memory belongs to whoever runs next.
            direction.rest.assign(bytes.begin(), bytes.end());
            direction.rest_counts = counts;
            wait_for_room(direction);
            return;
        } else if (errno != EINTR) {
            fail_at(target(direction), errno);
            return;
        }
    }
    direction.moved += counts;
}

}  // namespace tunnel::net
