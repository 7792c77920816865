#include "common/net/socket.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>

namespace tunnel::net {

namespace {

template <class T>
void set_option(int fd, int level, int name, const T& value) {
    // A failure means the peer is already gone, which the next read tells.
    (void)::setsockopt(fd, level, name, &value, sizeof value);
}

int whole_seconds(Millis duration) {
    return static_cast<int>(std::clamp<std::int64_t>((duration.count() + 999) / 1000, 1, 32'000));
}

tcp::endpoint name_of_socket(int fd, int (*call)(int, sockaddr*, socklen_t*)) {
    tcp::endpoint endpoint;
    auto size = static_cast<socklen_t>(endpoint.capacity());
    if (call(fd, endpoint.data(), &size) != 0 || size > endpoint.capacity()) return {};
    if (endpoint.data()->sa_family != AF_INET && endpoint.data()->sa_family != AF_INET6) return {};
    endpoint.resize(size);
    return endpoint;
}

}  // namespace

void set_no_delay(int fd) {
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
}

void defer_accept(int fd) {
    set_option(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, 1);
}

void set_keepalive(int fd, Liveness liveness) {
    constexpr int probes = 4;
    set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, whole_seconds(liveness.interval));
    set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL,
               whole_seconds((liveness.timeout - liveness.interval) / probes));
    set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, probes);
}

void clear_keepalive(int fd) {
    set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 0);
}

void set_user_timeout(int fd, Millis timeout) {
    set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, static_cast<unsigned>(timeout.count()));
}

void set_reset_on_close(int fd, bool on) {
    set_option(fd, SOL_SOCKET, SO_LINGER, linger{on ? 1 : 0, 0});
}

void prepare_for_relay(int fd, Liveness liveness) {
    set_no_delay(fd);
    set_reset_on_close(fd, true);
    set_keepalive(fd, liveness);
}

void shut_down(int fd, Half half) {
    (void)::shutdown(fd, half == Half::read ? SHUT_RD : SHUT_WR);
}

namespace {

// All zero when it cannot be had.
tcp_info info_of(int fd) {
    tcp_info info{};
    socklen_t size = sizeof info;
    (void)::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size);
    return info;
}

}  // namespace

bool is_broken(int fd) {
    pollfd state{fd, 0, 0};
    return ::poll(&state, 1, 0) > 0 && (state.revents & POLLERR) != 0;
}

int take_error(int fd) {
    int error = 0;
    socklen_t size = sizeof error;
    return ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

bool peer_seems_dead(int fd, Millis timeout) {
    const auto info = info_of(fd);
    // Window probes back off to minutes while they are answered, so silence alone proves nothing: several
    // probes in a row without an answer do. Retransmissions count up only while nothing is acknowledged.
    const bool unanswered = info.tcpi_retransmits > 0 || info.tcpi_probes >= 4;
    return unanswered && info.tcpi_last_ack_recv >= timeout.count();
}

TcpPath path_of(int fd) {
    const auto info = info_of(fd);
    return {info.tcpi_state == TCP_ESTABLISHED, Millis(info.tcpi_last_ack_recv),
            std::chrono::microseconds(info.tcpi_rtt)};
}

bool has_unacknowledged(int fd) {
    return info_of(fd).tcpi_unacked > 0;
}

IpAddress to_ip(const asio::ip::address& address) {
    IpAddress ip;
    if (address.is_v4()) {
        const auto v4 = address.to_v4().to_bytes();
        ip.bytes[10] = ip.bytes[11] = 0xff;
        std::copy(v4.begin(), v4.end(), ip.bytes.begin() + 12);
    } else {
        const auto v6 = address.to_v6().to_bytes();
        std::copy(v6.begin(), v6.end(), ip.bytes.begin());
    }
    return ip;
}

HostPort to_host_port(const tcp::endpoint& endpoint) {
    return {to_string(to_ip(endpoint.address())), endpoint.port()};
}

std::string to_text(const tcp::endpoint& endpoint) {
    return to_string(to_host_port(endpoint));
}

Result<tcp::endpoint> to_endpoint(const HostPort& numeric) {
    std::error_code error;
    const auto address = asio::ip::make_address(numeric.host, error);
    if (error) return fail(Errc::invalid, "\"{}\" is not a numeric address", numeric.host);
    return tcp::endpoint(address, numeric.port);
}

tcp::endpoint peer_of(int fd) {
    return name_of_socket(fd, ::getpeername);
}

tcp::endpoint local_of(int fd) {
    return name_of_socket(fd, ::getsockname);
}

std::size_t descriptor_limit() {
    rlimit limit{};
    return ::getrlimit(RLIMIT_NOFILE, &limit) == 0 ? static_cast<std::size_t>(limit.rlim_cur) : 0;
}

std::size_t raise_descriptor_limit() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
    const auto before = limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max;
    return static_cast<std::size_t>(::setrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : before);
}

}  // namespace tunnel::net
