#include "tests/bench/load/socket.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT 24
#endif

namespace tunnel::bench {

void die(const std::string& why) {
    std::fprintf(stderr, "bench-load: %s\n", why.c_str());
    std::exit(1);
}

void die_errno(const std::string& what) {
    die(what + ": " + std::strerror(errno));
}

void Fd::reset() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
}

namespace {

bool fill_ipv4(const std::string& host, std::uint16_t port, Endpoint& endpoint) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    if (::inet_pton(AF_INET, host.c_str(), &address.sin_addr) != 1) return false;
    if ((ntohl(address.sin_addr.s_addr) >> 24) != 127) return false;
    std::memcpy(&endpoint.address, &address, sizeof address);
    endpoint.length = sizeof address;
    return true;
}

bool fill_ipv6(const std::string& host, std::uint16_t port, Endpoint& endpoint) {
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_port = htons(port);
    if (::inet_pton(AF_INET6, host.c_str(), &address.sin6_addr) != 1) return false;
    if (!IN6_IS_ADDR_LOOPBACK(&address.sin6_addr)) return false;
    std::memcpy(&endpoint.address, &address, sizeof address);
    endpoint.length = sizeof address;
    return true;
}

void set_flag(const Fd& fd, int level, int option) {
    const int on = 1;
    if (::setsockopt(fd.get(), level, option, &on, sizeof on) != 0) die_errno("setsockopt failed");
}

// True when the socket's source is now 127.0.1.(1..16). The kernel picks the port in connect().
bool bind_source(const Fd& fd, std::uint32_t turn) {
    set_flag(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT);
    sockaddr_in source{};
    source.sin_family = AF_INET;
    source.sin_addr.s_addr = htonl(0x7f000101U + turn % 16U);
    return ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&source), sizeof source) == 0;
}

}  // namespace

std::optional<Endpoint> parse_loopback(std::string_view text, std::string& why) {
    Endpoint endpoint;
    const auto colon = text.rfind(':');
    std::uint16_t port = 0;
    if (colon != std::string_view::npos) {
        const auto digits = text.substr(colon + 1);
        const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
        if (error != std::errc{} || end != digits.data() + digits.size()) port = 0;
    }
    if (port == 0) {
        why = "'" + std::string(text) + "' is not ADDRESS:PORT, such as 127.0.0.1:8080 or [::1]:8080";
        return std::nullopt;
    }
    std::string host(text.substr(0, colon));
    const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
    if (bracketed) host = host.substr(1, host.size() - 2);
    if (bracketed ? fill_ipv6(host, port, endpoint) : fill_ipv4(host, port, endpoint)) return endpoint;
    why = "'" + host + "' is not a loopback address; the benchmark talks to 127.0.0.0/8 and ::1 only";
    return std::nullopt;
}

Fd start_connect(const Endpoint& target, std::optional<std::uint32_t> spread) {
    const int family = target.address.ss_family;
    Fd fd(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!fd.valid()) return fd;
    set_flag(fd, IPPROTO_TCP, TCP_NODELAY);
    if (spread && family == AF_INET && !bind_source(fd, *spread)) return Fd();
    const auto* address = reinterpret_cast<const sockaddr*>(&target.address);
    if (::connect(fd.get(), address, target.length) != 0 && errno != EINPROGRESS) return Fd();
    return fd;
}

int connect_result(const Fd& fd) {
    int error = 0;
    socklen_t length = sizeof error;
    if (::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &length) != 0) return errno;
    return error;
}

std::pair<Fd, std::uint16_t> listen_loopback() {
    Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!fd.valid()) die_errno("no socket to listen on");
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    if (::bind(fd.get(), generic, sizeof address) != 0) die_errno("no port of 127.0.0.1 could be bound");
    if (::listen(fd.get(), 4096) != 0) die_errno("listen failed");
    socklen_t length = sizeof address;
    if (::getsockname(fd.get(), generic, &length) != 0) die_errno("getsockname failed");
    return {std::move(fd), ntohs(address.sin_port)};
}

void widen(const Fd& fd) {
    constexpr int bytes = 8 * 1024 * 1024;
    for (const auto& [forced, plain] : {std::pair{SO_RCVBUFFORCE, SO_RCVBUF}, {SO_SNDBUFFORCE, SO_SNDBUF}}) {
        if (::setsockopt(fd.get(), SOL_SOCKET, forced, &bytes, sizeof bytes) != 0)
            (void)::setsockopt(fd.get(), SOL_SOCKET, plain, &bytes, sizeof bytes);
    }
}

Poller::Poller() : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
    if (!epoll_.valid()) die_errno("epoll_create1 failed");
}

void Poller::watch(const Fd& fd, std::uint32_t events, std::uint64_t tag) {
    epoll_event event{};
    event.events = events;
    event.data.u64 = tag;
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd.get(), &event) != 0) die_errno("epoll_ctl ADD failed");
}

void Poller::change(const Fd& fd, std::uint32_t events, std::uint64_t tag) {
    epoll_event event{};
    event.events = events;
    event.data.u64 = tag;
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd.get(), &event) != 0) die_errno("epoll_ctl MOD failed");
}

void Poller::forget(const Fd& fd) {
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd.get(), nullptr) != 0) die_errno("epoll_ctl DEL failed");
}

std::span<const epoll_event> Poller::wait(int milliseconds) {
    const int count =
        ::epoll_wait(epoll_.get(), events_.data(), static_cast<int>(events_.size()), milliseconds);
    if (count < 0 && errno != EINTR) die_errno("epoll_wait failed");
    return {events_.data(), static_cast<std::size_t>(count < 0 ? 0 : count)};
}

void raise_descriptor_limit() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace tunnel::bench
