// How the two directions of an encrypted data connection are moved when the kernel seals and opens the
// records. Each is handed over by itself once it is bulk, at a record's end, and then moves as a plain one
// does, but for what kernel_tls.hpp says of its beginning, its reads and its end.

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "common/net/deadline.hpp"
#include "common/net/relay/relay.hpp"

namespace tunnel::net {

namespace {

constexpr std::size_t copy_size = 64 * 1024;
constexpr std::size_t least_received = 16;  // KernelTlsSocket::receive()
constexpr std::size_t worth_splicing = 16 * 1024;
// The last writability edge may come before the last bytes have left kernel TLS.
constexpr Millis first_look{5};
constexpr Millis longest_pause{320};

}  // namespace

struct Relay::Kernel {
    explicit Kernel(KernelTlsSocket of) : socket(of) {}
    KernelTlsSocket socket;
    bool said_goodbye = false;
    std::optional<Deadline> look;
    Millis pause = first_look;
};

void Relay::KernelDeleter::operator()(Kernel* kernel) const {
    delete kernel;
}

bool Relay::kernel_may_take(const Direction& direction, bool full_read) const {
    const auto after = resources_.kernel_tls.after;
    return records_->keys != nullptr && !taken_ && !completing_ && direction.moved >= after &&
           (full_read || after == 0);
}

// Where the kernel says no, as after the peer has finished sending, all goes on in user space.
bool Relay::attach_kernel() {
    if (kernel_) return true;
    auto socket = resources_.kernel_tls.support.attach(data_.fd.get());
    if (socket)
        kernel_.reset(new Kernel(*socket));
    else
        records_->keys.reset();
    return kernel_ != nullptr;
}

void Relay::offer_sealing() {
    // All that was sealed here has to be in TCP's queue.
    if (outward_in_.stuck || !attach_kernel()) return;
    const auto& sealer = records_->sealer;
    const KernelTlsDirection from{records_->keys->seal, sealer.sequence()};
    if (kernel_->socket.take_sealing(from, sealer.record_limit()))
        outward_in_.way = Direction::Way::copy;
    else
        records_->keys.reset();
}

void Relay::offer_opening() {
    data_in_.to_boundary = false;
    if (completing_ || !records_->keys || !attach_kernel()) return;
    if (kernel_->socket.take_opening({records_->keys->open, records_->opener.sequence()}))
        data_in_.way = Direction::Way::copy;
    else
        records_->keys.reset();
}

bool Relay::kernel_opens(const Direction& direction) const {
    return kernel_ && &direction == &data_in_ && kernel_->socket.opens();
}

bool Relay::kernel_seals(const Direction& direction) const {
    return kernel_ && &direction == &outward_in_ && kernel_->socket.seals();
}

void Relay::given(const Direction& direction, std::size_t bytes) {
    if (!kernel_seals(direction)) return;
    kernel_->socket.count_given(bytes);
    if (kernel_->socket.used_up())
        fail(RelayEnd::key_used_up, "the key has sealed as many records as it may: connect anew");
}

void Relay::opened_by_kernel(Direction& direction, const Result<KernelTlsSocket::Received>& got) {
    using Kind = KernelTlsSocket::Kind;
    if (!got) {
        const auto code = got.error().code;
        fail(code == Errc::protocol ? RelayEnd::tampered
             : code == Errc::closed ? RelayEnd::truncated
                                    : RelayEnd::data_failed,
             got.error().message);
        return;
    }
    const auto bytes = BytesView(resources_.scratch.in).first(got->size);
    switch (got->kind) {
        case Kind::nothing:
            direction.readable = false;
            return;
        case Kind::close_notify:
            direction.source_ended = true;
            return;
        case Kind::data:
            break;
    }
    if (!direction.pipe || direction.pipe->bytes_inside == 0) {
        write(direction, bytes, bytes.size());
        return;
    }
    // After what the pipe holds.
    direction.rest.assign(bytes.begin(), bytes.end());
    direction.rest_counts = bytes.size();
}

// Reads until it is told that there is nothing: every further record is an edge of its own, but the edge may
// come before the record is whole.
void Relay::copy_opened(Direction& direction) {
    const auto room = std::clamp(read_limit_, least_received, copy_size);
    const auto got = kernel_->socket.receive(MutableBytes(resources_.scratch.in).first(room));
    opened_by_kernel(direction, got);
    if (got && got->size == room && room >= worth_splicing && direction.may_splice)
        direction.way = Direction::Way::splice;
}

// A splice gives one record at most, so several are gathered before they go on.
void Relay::splice_opened(Direction& direction) {
    auto& pipe = *direction.pipe;
    while (pipe.bytes_inside < std::min(pipe.capacity / 2, read_limit_)) {
        const auto n = ::splice(data_.fd.get(), nullptr, pipe.write.get(), nullptr,
                                std::min(pipe.capacity, read_limit_) - pipe.bytes_inside,
                                SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
        if (n > 0) {
            pipe.bytes_inside += static_cast<std::size_t>(n);
            direction.spliced += static_cast<std::size_t>(n);
            continue;
        }
        const int error = n == 0 ? 0 : errno;
        // With bytes inside, the pipe may be full for its number of buffers.
        if (error == EAGAIN && pipe.bytes_inside > 0) return;
        if (error == EINTR) return;
        opened_by_kernel(
            direction, kernel_->socket.explain(error, MutableBytes(resources_.scratch.in).first(copy_size)));
        return;
    }
}

bool Relay::end_sealing(Direction& direction) {
    auto& kernel = *kernel_;
    kernel.look.reset();
    if (!kernel.said_goodbye) {
        const auto said = kernel.socket.send_close_notify();
        if (!said) return fail(RelayEnd::data_failed, said.error().message);
        kernel.said_goodbye = *said;
    }
    if (kernel.said_goodbye) {
        const auto all = kernel.socket.all_in_tcp();
        if (!all) return fail(RelayEnd::data_failed, all.error().message);
        if (*all) return true;
    }
    wait_for_room(direction);
    kernel.look.emplace(resources_.context.get_executor(), kernel.pause, [this] {
        if (!completing_) pump(outward_in_);
    });
    kernel.pause = std::min(2 * kernel.pause, longest_pause);
    return false;
}

}  // namespace tunnel::net
