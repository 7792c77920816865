#include "common/net/stream_io.hpp"

#include <sys/socket.h>

#include <cerrno>

namespace tunnel::net {

namespace {

bool would_block(int error) {
    return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

tl::unexpected<Error> cancelled() {
    return fail(Errc::timeout, "the other end did not answer in time");
}

}  // namespace

awaitable<Result<std::size_t>> read_some(Descriptor& socket, MutableBytes out) {
    for (;;) {
        const auto n = ::recv(socket.native_handle(), out.data(), out.size(), MSG_DONTWAIT);
        if (n > 0) co_return static_cast<std::size_t>(n);
        if (n == 0) co_return fail(Errc::closed, "the other end closed the connection");
        if (!would_block(errno)) co_return fail_errno(errno, "the connection broke");
        const auto [error] = co_await socket.async_wait(Descriptor::wait_read, use_result);
        if (error) co_return cancelled();
    }
}

awaitable<Status> read_exactly(Descriptor& socket, MutableBytes out) {
    while (!out.empty()) {
        const auto n = co_await read_some(socket, out);
        if (!n) co_return pass(n.error());
        out = out.subspan(*n);
    }
    co_return Status();
}

awaitable<Status> write_all(Descriptor& socket, BytesView bytes) {
    while (!bytes.empty()) {
        const auto n =
            ::send(socket.native_handle(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n >= 0) {
            bytes = bytes.subspan(static_cast<std::size_t>(n));
            continue;
        }
        if (!would_block(errno)) co_return fail_errno(errno, "the connection broke");
        const auto [error] = co_await socket.async_wait(Descriptor::wait_write, use_result);
        if (error) co_return cancelled();
    }
    co_return Status();
}

}  // namespace tunnel::net
