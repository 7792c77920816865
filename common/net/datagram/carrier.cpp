#include "common/net/datagram/carrier.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "common/net/socket.hpp"

namespace tunnel::net {

namespace {

// Reads of one turn, before the worker's other sockets have theirs.
constexpr int reads_of_a_turn = 8;
// What the kernel may hold unsent: enough for a fast network, and no more, so that the queue stands where
// it can be cut (tcp(7), TCP_NOTSENT_LOWAT).
constexpr int unsent_in_kernel = 256 * 1024;
constexpr Seconds dead_after{20};
// A buffer that a burst made larger than this is given back when it is empty.
constexpr std::size_t kept_capacity = 128 * 1024;

void empty(Bytes& buffer) {
    if (buffer.capacity() > kept_capacity)
        Bytes().swap(buffer);
    else
        buffer.clear();
}

}  // namespace

Carrier::Carrier(EventSet& events, CarrierBuffers& buffers, UniqueFd fd, std::optional<RecordLayers> records,
                 std::unique_ptr<CarrierHead> head, Owner& owner)
    : events_(events),
      buffers_(buffers),
      fd_(std::move(fd)),
      records_(std::move(records)),
      head_(std::move(head)),
      owner_(owner) {
    // Both ends always read, so what is not acknowledged met a dead path.
    set_user_timeout(fd_.get(), dead_after);
    (void)::setsockopt(fd_.get(), IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent_in_kernel, sizeof unsent_in_kernel);
}

Carrier::~Carrier() {
    close();
}

int Carrier::start(Bytes begun) {
    const int error = events_.add(fd_.get(), *this);
    watched_ = error == 0;
    begun_ = std::move(begun);
    if (watched_ && !begun_.empty()) events_.again(*this);
    return error;
}

void Carrier::retire(asio::io_context& context, std::unique_ptr<Carrier> carrier) {
    if (!carrier) return;
    carrier->close();
    asio::post(context, [gone = std::move(carrier)] {});
}

void Carrier::close() {
    closed_ = true;
    if (watched_) events_.remove(fd_.get());
    watched_ = false;
    // An orderly end: nothing that was sent is worth a reset, and the other end knows what it has.
    set_reset_on_close(fd_.get(), false);
    fd_.reset();
}

void Carrier::fail(const Error& reason) {
    if (closed_) return;
    close();
    owner_.on_carrier_closed(*this, reason);
}

bool Carrier::queue(const wire::DatagramFrame& frame) {
    if (closed_ || queued() + frame.payload.size() > most_queued) return false;
    wire::append_frame(records_ ? frames_ : out_, frame);
    return true;
}

void Carrier::flush() {
    if (closed_ || !writable_) return;
    if (!send_some() || frames_.empty()) return;
    if (const auto ok = seal_queued(); !ok) return fail(ok.error());
    (void)send_some();
}

Status Carrier::seal_queued() {
    const auto at = out_.size();
    out_.resize(at + tls::sealed_size(frames_.size()));
    const auto sealed = records_->sealer.seal_many(frames_, MutableBytes(out_).subspan(at));
    empty(frames_);
    if (!sealed) return pass(sealed.error());
    return {};
}

// True when nothing is left to be sent.
bool Carrier::send_some() {
    while (sent_ < out_.size()) {
        const auto n =
            ::send(fd_.get(), out_.data() + sent_, out_.size() - sent_, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n >= 0) {
            sent_ += static_cast<std::size_t>(n);
            continue;
        }
        if (errno == EINTR) continue;
        if (errno == EAGAIN || errno == EWOULDBLOCK) {
            writable_ = false;
            // What was sent takes no room; moved rarely, so that it costs little.
            if (sent_ > out_.size() / 2) {
                out_.erase(out_.begin(), out_.begin() + static_cast<std::ptrdiff_t>(sent_));
                sent_ = 0;
            }
            return false;
        }
        fail({Errc::closed, std::generic_category().message(errno), errno});
        return false;
    }
    sent_ = 0;
    empty(out_);
    return true;
}

void Carrier::on_events(std::uint32_t events) {
    if (closed_) return;
    if ((events & EPOLLOUT) != 0) {
        writable_ = true;
        flush();
    }
    if (!closed_ && (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) read();
}

void Carrier::read() {
    if (!begun_.empty()) {
        const auto bytes = MutableBytes(buffers_.received).first(begun_.size());
        std::copy(begun_.begin(), begun_.end(), bytes.begin());
        begun_ = Bytes();
        if (!received(bytes)) return;
    }
    for (int turn = 0; turn < reads_of_a_turn; ++turn) {
        auto& buffer = buffers_.received;
        std::copy(held_.begin(), held_.end(), buffer.begin());
        const auto room = buffer.size() - held_.size();
        const auto n = ::recv(fd_.get(), buffer.data() + held_.size(), room, MSG_DONTWAIT);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
        if (n < 0) return fail({Errc::closed, std::generic_category().message(errno), errno});
        if (n == 0) return fail({Errc::closed, "the other end closed the data connection", 0});
        const auto all = MutableBytes(buffer).first(held_.size() + static_cast<std::size_t>(n));
        held_.clear();
        if (!received(all)) return;
        // The socket is empty; an end behind it is told by another event.
        if (static_cast<std::size_t>(n) < room) return;
    }
    events_.again(*this);
}

bool Carrier::received(MutableBytes bytes) {
    const auto ok = take(bytes);
    // What came before something wrong is genuine.
    if (!closed_) owner_.on_batch_end();
    if (!ok) fail(ok.error());
    return !closed_;
}

Status Carrier::take(MutableBytes bytes) {
    if (head_) {
        BytesView rest = bytes;
        const auto complete = head_->take(rest);
        if (!complete) return pass(complete.error());
        if (!*complete) return {};
        head_.reset();
        bytes = bytes.last(rest.size());
    }
    return records_ ? take_records(bytes) : take_frames(bytes);
}

Status Carrier::take_records(MutableBytes bytes) {
    std::size_t opened = 0;
    while (bytes.size() >= tls::record_header_size) {
        const auto size = tls::RecordOpener::record_size(bytes.first(tls::record_header_size));
        if (!size) return pass(size.error());
        if (bytes.size() < *size) break;
        const auto out = MutableBytes(buffers_.opened).subspan(opened);
        const auto record = records_->opener.open(bytes.first(*size), out);
        if (!record) return pass(record.error());
        if (record->closed) return tunnel::fail(Errc::closed, "the other end closed the data connection");
        opened += record->size;
        bytes = bytes.subspan(*size);
    }
    held_.assign(bytes.begin(), bytes.end());
    return take_frames(BytesView(buffers_.opened).first(opened));
}

Status Carrier::take_frames(BytesView bytes) {
    return reader_.read(bytes, [this](const wire::DatagramFrame& frame) {
        if (!closed_) owner_.on_frame(frame);
    });
}

}  // namespace tunnel::net
