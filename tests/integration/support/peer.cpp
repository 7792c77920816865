#include "tests/integration/support/peer.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <ostream>
#include <random>
#include <stdexcept>
#include <system_error>
#include <thread>

#include "common/net/socket.hpp"

namespace tunnel::test {

namespace {

sockaddr_in loopback(Port port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

sockaddr_un local(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    return address;
}

[[noreturn]] void throw_errno(const std::string& what) {
    throw std::system_error(errno, std::generic_category(), what);
}

// With a time limit these calls are no longer restarted by the kernel when something interrupts the thread
// (signal(7)), be it only a poll that io_uring made in this thread's name when it posted to a worker.
void set_time_limits(int fd) {
    const timeval limit{std::chrono::duration_cast<Seconds>(patience).count(), 0};
    (void)::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    (void)::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

Listening bound_to_loopback(Port port = 0) {
    Listening out{net::UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)), 0};
    const auto address = loopback(port);
    if (::bind(out.fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        throw_errno("bind");
    out.port = net::local_of(out.fd.get()).port();
    return out;
}

}  // namespace

std::ostream& operator<<(std::ostream& out, End end) {
    return out << (end == End::orderly ? "orderly" : end == End::reset ? "reset" : "timeout");
}

Peer Peer::connect(Port port) {
    net::UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const auto address = loopback(port);
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        throw_errno("connect to port " + std::to_string(port));
    return Peer(std::move(fd));
}

Peer Peer::connect_to(const std::string& address, Port port) {
    net::UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    auto to = loopback(port);
    if (::inet_pton(AF_INET, address.c_str(), &to.sin_addr) != 1) throw_errno(address);
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0)
        throw_errno("connect to " + address);
    return Peer(std::move(fd));
}

Peer Peer::connect_from(const std::string& address, Port port) {
    net::UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    auto from = loopback(0);
    if (::inet_pton(AF_INET, address.c_str(), &from.sin_addr) != 1) throw_errno(address);
    if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&from), sizeof from) != 0) throw_errno(address);
    const auto to = loopback(port);
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0)
        throw_errno("connect from " + address);
    return Peer(std::move(fd));
}

Peer Peer::connect_to_path(const std::string& path) {
    net::UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const auto address = local(path);
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        throw_errno("connect to " + path);
    return Peer(std::move(fd));
}

Peer::Peer(net::UniqueFd fd) : fd_(std::move(fd)) {
    set_time_limits(fd_.get());
    net::set_no_delay(fd_.get());
}

void Peer::note_failure(int error) {
    if (error == ECONNRESET || error == EPIPE) *was_reset_ = true;
}

bool Peer::send(BytesView bytes) {
    while (!bytes.empty()) {
        const auto n = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) {
            note_failure(errno);
            return false;
        }
        bytes = bytes.subspan(static_cast<std::size_t>(n));
    }
    return true;
}

Bytes Peer::receive(std::size_t size) {
    Bytes out(size);
    std::size_t got = 0;
    while (got < size) {
        const auto n = ::recv(fd_.get(), out.data() + got, size - got, 0);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) break;
        got += static_cast<std::size_t>(n);
    }
    out.resize(got);
    return out;
}

std::string Peer::receive_text(std::size_t size) {
    return std::string(text_of(receive(size)));
}

Bytes Peer::receive_some(std::size_t size) {
    Bytes out(size);
    ssize_t n = 0;
    do {
        n = ::recv(fd_.get(), out.data(), size, 0);
    } while (n < 0 && errno == EINTR);
    out.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
    return out;
}

Received Peer::receive_all(Millis limit) {
    Received out;
    Bytes buffer(64 * 1024);
    const auto end = Clock::now() + limit;
    for (;;) {
        pollfd ready{fd_.get(), POLLIN, 0};
        const auto rest = std::chrono::duration_cast<Millis>(end - Clock::now()).count();
        if (rest <= 0 || ::poll(&ready, 1, static_cast<int>(rest)) <= 0) return out;
        const auto n = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) {
            if (n < 0) note_failure(errno);
            out.end = n < 0 || *was_reset_ ? End::reset : End::orderly;
            return out;
        }
        append(out.bytes, BytesView(buffer).first(static_cast<std::size_t>(n)));
    }
}

void Peer::finish() {
    net::shut_down(fd_.get(), net::Half::write);
}

void Peer::reset() {
    net::set_reset_on_close(fd_.get(), true);
    fd_.reset();
}

void Peer::interrupt() const {
    (void)::shutdown(fd_.get(), SHUT_RDWR);
}

namespace {

bool is_closed(int fd) {
    tcp_info info{};
    socklen_t size = sizeof info;
    return ::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 && info.tcpi_state == TCP_CLOSE;
}

}  // namespace

Received send_and_receive(Peer& peer, BytesView bytes) {
    bool sent = false;
    std::thread sender([&] {
        sent = peer.send(bytes);
        peer.finish();
    });
    auto received = peer.receive_all();
    // The kernel may have told the sender of a reset that it has not noted yet.
    const bool closed = is_closed(peer.fd());
    sender.join();
    if (closed && !sent) received.end = End::reset;
    return received;
}

Bytes pattern(std::size_t size, std::uint64_t seed) {
    std::mt19937_64 random(seed);
    Bytes out(size);
    std::size_t at = 0;
    for (; at + 8 <= size; at += 8) put_be64(MutableBytes(out).subspan(at, 8), random());
    for (; at < size; ++at) out[at] = static_cast<Byte>(random());
    return out;
}

Listening listen_on_loopback() {
    auto out = bound_to_loopback();
    if (::listen(out.fd.get(), 1024) != 0) throw_errno("listen");
    return out;
}

std::vector<Listening> listen_on_row(std::size_t count) {
    std::random_device random;
    for (int tries = 0;; ++tries) {
        const auto first = static_cast<Port>(10'000 + random() % 20'000);
        try {
            std::vector<Listening> row;
            for (std::size_t i = 0; i < count; ++i) {
                row.push_back(bound_to_loopback(static_cast<Port>(first + i)));
                if (::listen(row.back().fd.get(), 1024) != 0) throw_errno("listen");
            }
            return row;
        } catch (const std::system_error&) {
            if (tries == 1000) throw;
        }
    }
}

PortRange free_row(std::size_t count) {
    const auto row = listen_on_row(count);
    return {row.front().port, row.back().port};
}

Listening listen_on_path(const std::string& path) {
    Listening out{net::UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)), 0};
    const auto address = local(path);
    if (::bind(out.fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        ::listen(out.fd.get(), 1024) != 0)
        throw_errno("listen on " + path);
    return out;
}

Listening refuse_on_loopback() {
    return bound_to_loopback();
}

}  // namespace tunnel::test
