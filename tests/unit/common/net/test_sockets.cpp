#include "tests/unit/common/net/test_sockets.hpp"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <filesystem>
#include <iterator>

#include "common/net/socket.hpp"

namespace tunnel::net::test {

namespace {

constexpr int patience_ms = 30'000;

void set_sizes(int fd, BufferSizes sizes) {
    if (sizes.send > 0) ::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &sizes.send, sizeof sizes.send);
    if (sizes.receive > 0) ::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &sizes.receive, sizeof sizes.receive);
}

bool ready(int fd, short events) {
    pollfd state{fd, events, 0};
    return ::poll(&state, 1, patience_ms) > 0;
}

UniqueFd new_socket(const tcp::endpoint& address, int flags) {
    return UniqueFd(
        ::socket(address.address().is_v6() ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0));
}

}  // namespace

tcp::endpoint loopback(unsigned short port) {
    return {asio::ip::address_v4::loopback(), port};
}

TcpPair::TcpPair(BufferSizes sizes, Family family) {
    if (family == Family::local) {
        int ends[2] = {-1, -1};
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
        near = UniqueFd(ends[0]);
        far = UniqueFd(ends[1]);
        set_sizes(near.get(), sizes);
        set_sizes(far.get(), sizes);
        return;
    }
    const auto listener = new_socket(loopback(0), 0);
    set_sizes(listener.get(), sizes);  // accepted sockets inherit them, in time for the window's scale
    const auto any = loopback(0);
    EXPECT_EQ(::bind(listener.get(), any.data(), static_cast<socklen_t>(any.size())), 0);
    EXPECT_EQ(::listen(listener.get(), 1), 0);
    near = new_socket(any, SOCK_NONBLOCK);
    set_sizes(near.get(), sizes);
    const auto address = local_of(listener.get());
    ::connect(near.get(), address.data(), static_cast<socklen_t>(address.size()));
    EXPECT_TRUE(ready(listener.get(), POLLIN));
    far = UniqueFd(::accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    EXPECT_TRUE(ready(near.get(), POLLOUT));
    EXPECT_TRUE(near && far);
}

void TcpPair::prepare() {
    prepare_for_relay(far.get(), {});
}

UniqueFd foreign_listener(const tcp::endpoint& address, Share share, int backlog) {
    auto fd = new_socket(address, SOCK_NONBLOCK);
    const int on = 1;
    const int shared = share == Share::port ? 1 : 0;
    ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEPORT, &shared, sizeof shared);
    EXPECT_EQ(::bind(fd.get(), address.data(), static_cast<socklen_t>(address.size())), 0);
    EXPECT_EQ(::listen(fd.get(), backlog), 0);
    return fd;
}

UniqueFd start_connect(const tcp::endpoint& address) {
    auto fd = new_socket(address, SOCK_NONBLOCK);
    const int result = ::connect(fd.get(), address.data(), static_cast<socklen_t>(address.size()));
    EXPECT_TRUE(result == 0 || errno == EINPROGRESS);
    return fd;
}

SilentAddress::SilentAddress() : listener_(foreign_listener(loopback(0), Share::no, 0)) {
    endpoint_ = local_of(listener_.get());
    // Linux queues one connection more than the backlog says; a SYN that finds no room is dropped.
    queued_.push_back(start_connect(endpoint_));
    EXPECT_TRUE(ready(queued_.back().get(), POLLOUT));
    queued_.push_back(start_connect(endpoint_));
}

tcp::endpoint refusing_address() {
    // The port stays free until this process chooses it again.
    const auto listener = foreign_listener(loopback(0));
    return local_of(listener.get());
}

Received receive(int fd, MutableBytes out) {
    if (!ready(fd, POLLIN)) return {-1, ETIMEDOUT};
    const auto n = ::recv(fd, out.data(), out.size(), MSG_DONTWAIT);
    return {n, n < 0 ? errno : 0};
}

Bytes receive_exactly(int fd, std::size_t size) {
    Bytes out;
    Bytes buffer(size);
    while (out.size() < size) {
        const auto got = receive(fd, MutableBytes(buffer).first(size - out.size()));
        if (got.size <= 0) break;
        append(out, BytesView(buffer).first(static_cast<std::size_t>(got.size)));
    }
    return out;
}

int end_of(int fd) {
    Bytes buffer(16384);
    for (;;) {
        const auto got = receive(fd, buffer);
        if (got.size == 0) return 0;
        if (got.size < 0) return got.error;
    }
}

void send_all(int fd, BytesView bytes) {
    while (!bytes.empty()) {
        ASSERT_TRUE(ready(fd, POLLOUT));
        const auto n = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        ASSERT_GT(n, 0) << "errno " << errno;
        bytes = bytes.subspan(static_cast<std::size_t>(n));
    }
}

void reset(UniqueFd& fd) {
    set_reset_on_close(fd.get(), true);
    fd.reset();
}

std::size_t open_descriptors() {
    const std::filesystem::directory_iterator entries("/proc/self/fd");
    return static_cast<std::size_t>(std::distance(begin(entries), end(entries)));
}

}  // namespace tunnel::net::test
