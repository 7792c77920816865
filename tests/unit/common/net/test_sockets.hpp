#pragma once
// Plain sockets for the tests' own ends, straight from the system calls.

#include <sys/types.h>
#include <vector>

#include "common/core/bytes.hpp"
#include "common/net/asio.hpp"
#include "common/net/unique_fd.hpp"

namespace tunnel::net::test {

// 0 leaves the kernel's size.
struct BufferSizes {
    int send = 0;
    int receive = 0;
};

enum class Family { tcp, local };

// Two connected TCP sockets on loopback, or two Unix sockets; non-blocking.
struct TcpPair {
    explicit TcpPair(BufferSizes sizes = {}, Family family = Family::tcp);
    // `far` as a relay has it.
    void prepare();
    UniqueFd near;
    UniqueFd far;
};

// A listening socket that is none of ours: without SO_REUSEPORT unless told.
enum class Share { no, port };
UniqueFd foreign_listener(const tcp::endpoint& address, Share share = Share::no, int backlog = 16);

// Starts to connect; non-blocking, nothing is waited for.
UniqueFd start_connect(const tcp::endpoint& address);

// A listener on loopback whose queue is full: who connects to it hears nothing.
class SilentAddress {
  public:
    SilentAddress();
    const tcp::endpoint& endpoint() const { return endpoint_; }

  private:
    UniqueFd listener_;
    std::vector<UniqueFd> queued_;
    tcp::endpoint endpoint_;
};

// A loopback address nobody listens on.
tcp::endpoint refusing_address();

tcp::endpoint loopback(unsigned short port);

// Waits for bytes, the end or an error, at most the tests' patience: what recv(2) said and its errno.
struct Received {
    ssize_t size = -1;
    int error = 0;
};
Received receive(int fd, MutableBytes out);
// Exactly `size` bytes, or fewer when the connection ends before.
Bytes receive_exactly(int fd, std::size_t size);
// The error that ends the connection: 0 for an orderly end. Bytes before it are dropped.
int end_of(int fd);
void send_all(int fd, BytesView bytes);
// Closes with a reset.
void reset(UniqueFd& fd);

// Descriptors this process has open.
std::size_t open_descriptors();

}  // namespace tunnel::net::test
