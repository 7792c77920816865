#pragma once
// Sending datagrams many at a time: sendmmsg(2), and one buffer for a burst of equal ones to one address
// where the kernel can cut it (UDP_SEGMENT). What the kernel does not take at once is dropped and counted: a
// datagram that waits is no better than one that is lost. One thread.

#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <vector>

#include "common/core/bytes.hpp"
#include "common/net/datagram/udp_socket.hpp"

namespace tunnel::net {

class DatagramSender {
  public:
    // Larger ones are sent one by one: they may not fit the MTU of the way they go, which a burst has to.
    static constexpr std::size_t largest_in_burst = 1472;
    enum class Bursts { none, small, any };
    explicit DatagramSender(bool kernel_cuts) : kernel_cuts_(kernel_cuts) {}

    // `to` and `from` stay where they are until flush(), and so do the bytes. Without `to` the socket is
    // connected; without `from` the system chooses. `any`: the caller knows that every size fits.
    void add(BytesView bytes, const udp::endpoint* to, const IpAddress* from, Bursts bursts = Bursts::small);
    bool empty() const { return bursts_.empty(); }

    struct Outcome {
        std::size_t sent = 0;
        std::size_t dropped = 0;
        int error = 0;            // of the last one dropped
        std::size_t too_big = 0;  // the size of one that the system refused for its size (EMSGSIZE), or 0
    };
    // Sends what was added, in order, and forgets it.
    Outcome flush(int fd);

  private:
    static constexpr std::size_t most_in_burst = 64;
    static constexpr std::size_t most_bytes = 65'000;
    struct Burst {
        std::size_t first_part;
        std::size_t parts;
        std::size_t segment;
        std::size_t bytes;
        const udp::endpoint* to;
        const IpAddress* from;
        bool closed;  // its last part is shorter, or it may not grow
    };
    using Control = std::array<Byte, 64>;
    void prepare(std::size_t index, const Burst& burst);
    // Sends a burst that the kernel would not cut, datagram by datagram.
    void send_apart(int fd, const Burst& burst, Outcome& outcome);
    void note_failure(const Burst& burst, int error, Outcome& outcome) const;

    bool kernel_cuts_;
    std::vector<Burst> bursts_;
    std::vector<iovec> parts_;
    std::vector<mmsghdr> messages_;
    std::vector<Control> controls_;
};

}  // namespace tunnel::net
