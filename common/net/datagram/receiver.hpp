#pragma once
// Receiving datagrams many at a time: recvmmsg(2) into buffers that a worker's sockets share. Pages of the
// buffers are touched only as far as datagrams reach. One thread.

#include <sys/socket.h>

#include <array>
#include <memory>
#include <vector>

#include "common/core/bytes.hpp"
#include "common/net/datagram/udp_socket.hpp"

namespace tunnel::net {

struct ReceivedDatagram {
    MutableBytes bytes;
    const udp::endpoint* from;
    IpAddress to;  // where it was sent to, if the socket tells; all zero otherwise
};

class DatagramReceiver {
  public:
    static constexpr std::size_t batch = 64;  // buffers of the largest datagram
    DatagramReceiver();
    DatagramReceiver(const DatagramReceiver&) = delete;
    DatagramReceiver& operator=(const DatagramReceiver&) = delete;

    struct Batch {
        // Valid until the next receive(). Bursts (UDP_GRO) are told apart.
        const std::vector<ReceivedDatagram>& datagrams;
        bool emptied = false;  // the socket has nothing more for now
        int error = 0;         // what the socket reported instead, such as ECONNREFUSED
    };
    Batch receive(int fd);

  private:
    static constexpr std::size_t buffer_size = 65'536;
    static constexpr std::size_t control_size = 128;
    void take(std::size_t index);

    struct Slot {
        udp::endpoint from;
        alignas(cmsghdr) std::array<Byte, control_size> control;
        iovec place;
    };
    std::unique_ptr<Byte[]> memory_;
    std::vector<Slot> slots_;
    std::vector<mmsghdr> messages_;
    std::vector<ReceivedDatagram> datagrams_;
};

}  // namespace tunnel::net
