#include "common/net/datagram/udp_socket.hpp"

#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "common/net/bind_error.hpp"

namespace tunnel::net {

namespace {

// Some hundreds of the largest datagrams.
constexpr int public_buffer = 8 * 1024 * 1024;

enum class Sharing { alone, reuse_port };

bool set(int fd, int level, int name, int value) {
    return ::setsockopt(fd, level, name, &value, sizeof value) == 0;
}

Result<UniqueFd> bind_udp(const udp::endpoint& address, Sharing sharing) {
    const bool v6 = address.address().is_v6();
    UniqueFd fd(::socket(v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_UDP));
    if (!fd) return fail_errno(errno, fmt::format("cannot open a socket for {}/udp", to_text(address)));
    const bool wildcard = address.address().is_unspecified();
    if (sharing == Sharing::reuse_port) (void)set(fd.get(), SOL_SOCKET, SO_REUSEPORT, 1);
    if (v6) (void)set(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, wildcard ? 0 : 1);
    // Answers have to leave from the address that was asked.
    if (wildcard && v6) (void)set(fd.get(), IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
    if (wildcard && !v6) (void)set(fd.get(), IPPROTO_IP, IP_PKTINFO, 1);
    if (::bind(fd.get(), address.data(), static_cast<socklen_t>(address.size())) != 0) {
        const int error = errno;
        return bind_error(error, to_text(address) + "/udp", address.port());
    }
    return fd;
}

// SO_REUSEPORT would let a second server of the same user share our port in silence, so first ask for the
// address alone. Returns the address with its port chosen.
Result<udp::endpoint> claim(const udp::endpoint& address) {
    auto probe = bind_udp(address, Sharing::alone);
    if (!probe) return pass(std::move(probe.error()));
    return udp_local_of(probe->get());
}

Result<std::vector<UniqueFd>> open_all(const udp::endpoint& address, std::size_t count) {
    auto claimed = claim(address);
    if (!claimed) return pass(std::move(claimed.error()));
    std::vector<UniqueFd> sockets;
    for (std::size_t i = 0; i < count; ++i) {
        auto fd = bind_udp(*claimed, Sharing::reuse_port);
        if (!fd) return pass(std::move(fd.error()));
        set_udp_buffers(fd->get(), public_buffer);
        sockets.push_back(std::move(*fd));
    }
    return sockets;
}

}  // namespace

std::string to_text(const udp::endpoint& endpoint) {
    return to_text(tcp::endpoint(endpoint.address(), endpoint.port()));
}

udp::endpoint udp_local_of(int fd) {
    const auto local = local_of(fd);
    return {local.address(), local.port()};
}

std::size_t UdpAddressHash::operator()(const udp::endpoint& endpoint) const noexcept {
    const auto* const bytes = reinterpret_cast<const Byte*>(endpoint.data());
    std::uint64_t parts[3] = {};
    if (endpoint.data()->sa_family == AF_INET6)
        std::memcpy(parts, bytes + offsetof(sockaddr_in6, sin6_addr), 16);
    else
        std::memcpy(parts, bytes + offsetof(sockaddr_in, sin_addr), 4);
    parts[2] = endpoint.port();
    std::uint64_t hash = 0;
    for (const auto part : parts) {
        hash = (hash ^ part) * 0x9e3779b97f4a7c15U;
        hash ^= hash >> 32;
    }
    return static_cast<std::size_t>(hash);
}

Result<std::vector<UniqueFd>> open_udp_sockets(const udp::endpoint& address, std::size_t count) {
    for (int attempt = 0;; ++attempt) {
        auto sockets = open_all(address, count);
        if (sockets) return sockets;
        const auto& error = sockets.error();
        const bool wildcard_v6 = address.address().is_v6() && address.address().is_unspecified();
        if (wildcard_v6 && (error.sys_errno == EAFNOSUPPORT || error.code == Errc::invalid))
            return open_udp_sockets(udp::endpoint(asio::ip::address_v4::any(), address.port()), count);
        if (address.port() != 0 || error.code != Errc::conflict || attempt == 8) return sockets;
    }
}

Status probe_udp(const udp::endpoint& address) {
    auto sockets = open_udp_sockets(address, 1);
    if (!sockets) return pass(std::move(sockets.error()));
    return {};
}

Result<UniqueFd> connect_udp(const udp::endpoint& to) {
    const int family = to.address().is_v6() ? AF_INET6 : AF_INET;
    UniqueFd fd(::socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_UDP));
    if (!fd) return fail_errno(errno, fmt::format("cannot open a socket for {}/udp", to_text(to)));
    if (::connect(fd.get(), to.data(), static_cast<socklen_t>(to.size())) != 0)
        return fail_errno(errno, fmt::format("cannot reach {}/udp", to_text(to)));
    return fd;
}

void set_udp_buffers(int fd, int bytes) {
    // Beyond net.core.rmem_max only with CAP_NET_ADMIN.
    if (!set(fd, SOL_SOCKET, SO_RCVBUFFORCE, bytes)) (void)set(fd, SOL_SOCKET, SO_RCVBUF, bytes);
    if (!set(fd, SOL_SOCKET, SO_SNDBUFFORCE, bytes)) (void)set(fd, SOL_SOCKET, SO_SNDBUF, bytes);
}

void set_receive_bursts(int fd) {
    (void)set(fd, IPPROTO_UDP, UDP_GRO, 1);
}

void set_path_probing(int fd) {
    (void)set(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE);
    (void)set(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_PROBE);
}

int steer_by_number(int fd, std::uint32_t offset, std::size_t sockets) {
    std::array<sock_filter, 3> code{{
        {BPF_LD | BPF_W | BPF_ABS, 0, 0, offset},
        {BPF_ALU | BPF_MOD | BPF_K, 0, 0, static_cast<std::uint32_t>(sockets)},
        {BPF_RET | BPF_A, 0, 0, 0},
    }};
    const sock_fprog program{static_cast<unsigned short>(code.size()), code.data()};
    return ::setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof program) == 0 ? 0 : errno;
}

bool can_send_bursts() {
    const UniqueFd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_UDP));
    return fd && set(fd.get(), IPPROTO_UDP, UDP_SEGMENT, 1200);
}

}  // namespace tunnel::net
