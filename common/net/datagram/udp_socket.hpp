#pragma once
// UDP sockets: opening, options, addresses. udp(7), ip(7), ipv6(7).

#include <cstdint>
#include <vector>

#include "common/core/bytes.hpp"
#include "common/core/result.hpp"
#include "common/net/asio.hpp"
#include "common/net/socket.hpp"
#include "common/net/unique_fd.hpp"

namespace tunnel::net {

using udp = asio::ip::udp;

std::string to_text(const udp::endpoint& endpoint);
udp::endpoint udp_local_of(int fd);

struct UdpAddressHash {
    std::size_t operator()(const udp::endpoint& endpoint) const noexcept;
};

// `count` sockets on one address that share its datagrams by visitor (SO_REUSEPORT), with large buffers.
// Port 0, wildcards and errors as open_listeners() has them.
Result<std::vector<UniqueFd>> open_udp_sockets(const udp::endpoint& address, std::size_t count);
// Tells whether open_udp_sockets() would succeed now.
Status probe_udp(const udp::endpoint& address);

// A socket that talks to one address only.
Result<UniqueFd> connect_udp(const udp::endpoint& to);

// SO_RCVBUF and SO_SNDBUF as near to `bytes` as the system lets us.
void set_udp_buffers(int fd, int bytes);
// Bursts may come as one buffer (UDP_GRO): what reads the socket has to know (DatagramReceiver does).
void set_receive_bursts(int fd);
// The path's MTU is found by probes alone: packets are never fragmented on the way, and the system's idea of
// the MTU is not heeded (IP_PMTUDISC_PROBE).
void set_path_probing(int fd);
// Have the sockets of one port choose by the number at this offset of the datagram, 32 bits, modulo their
// count, in the order they were bound. Of any one of them. errno, or 0.
int steer_by_number(int fd, std::uint32_t offset, std::size_t sockets);
// Whether the kernel cuts a buffer into datagrams (UDP_SEGMENT, Linux 4.18).
bool can_send_bursts();

}  // namespace tunnel::net
