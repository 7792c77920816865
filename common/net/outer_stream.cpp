#include "common/net/outer_stream.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "common/net/control_channel.hpp"
#include "common/net/stream_io.hpp"

namespace tunnel::net {

namespace {

constexpr std::size_t read_size = std::size_t{32} * 1024;
static_assert(read_size <= tls::Session::max_unread);

}  // namespace

awaitable<Status> OuterStream::start_tls(tls::Session session) {
    tls_ = std::move(session);
    co_return co_await tls_handshake(socket_, *tls_);
}

awaitable<Result<Bytes>> OuterStream::read_socket() {
    for (;;) {
        const auto [error] = co_await socket_.async_wait(Descriptor::wait_read, use_result);
        if (error) co_return fail(Errc::timeout, "the other end did not answer in time");
        Bytes bytes(read_size);
        const auto n = ::recv(socket_.native_handle(), bytes.data(), bytes.size(), MSG_DONTWAIT);
        if (n == 0) co_return fail(Errc::closed, "the other end closed the connection");
        if (n > 0) {
            bytes.resize(static_cast<std::size_t>(n));
            co_return bytes;
        }
        if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
            co_return fail_errno(errno, "the connection broke");
    }
}

awaitable<Result<Bytes>> OuterStream::read() {
    if (!kept_.empty()) co_return std::exchange(kept_, {});
    if (!tls_) co_return co_await read_socket();
    for (;;) {
        Bytes plain(read_size);
        const auto n = tls_->read(plain);
        if (!n) co_return pass(n.error());
        if (*n > 0) {
            plain.resize(*n);
            co_return plain;
        }
        plain = Bytes();
        const auto sealed = co_await read_socket();
        if (!sealed) co_return pass(sealed.error());
        tls_->feed(*sealed);
    }
}

awaitable<Status> OuterStream::read_exactly(MutableBytes out) {
    while (!out.empty()) {
        auto bytes = co_await read();
        if (!bytes) co_return pass(bytes.error());
        const auto taken = std::min(out.size(), bytes->size());
        std::copy_n(bytes->begin(), taken, out.begin());
        out = out.subspan(taken);
        kept_.assign(bytes->begin() + static_cast<std::ptrdiff_t>(taken), bytes->end());
    }
    co_return Status();
}

awaitable<Result<Bytes>> OuterStream::read_http_head() {
    Bytes head;
    for (;;) {
        const auto bytes = co_await read();
        if (!bytes) co_return pass(bytes.error());
        append(head, *bytes);
        const auto size = wire::http_head_size(head);
        if (!size) co_return pass(size.error());
        if (!*size) continue;
        const auto end = head.begin() + static_cast<std::ptrdiff_t>(**size);
        kept_.assign(end, head.end());
        head.erase(end, head.end());
        co_return head;
    }
}

awaitable<Status> OuterStream::write(BytesView bytes) {
    const auto sealed = seal(bytes);
    if (!sealed) co_return pass(sealed.error());
    co_return co_await write_all(socket_, *sealed);
}

Result<Bytes> OuterStream::seal(BytesView bytes) {
    if (!tls_) return Bytes(bytes.begin(), bytes.end());
    if (auto ok = tls_->write(bytes); !ok) return pass(ok.error());
    return tls_->take_output();
}

Bytes OuterStream::seal_end() {
    if (!tls_) return {};
    tls_->close();
    return tls_->take_output();
}

Result<UniqueFd> OuterStream::release() {
    if (!kept_.empty()) return fail(Errc::protocol, "the other end said more than it was asked for");
    return UniqueFd(socket_.release());
}

}  // namespace tunnel::net
