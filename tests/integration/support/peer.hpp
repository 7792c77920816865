#pragma once
// One end of a TCP connection as visitors and services have it: blocking calls, each with a deadline.

#include <atomic>
#include <cstdint>
#include <iosfwd>
#include <memory>
#include <vector>

#include "common/core/address.hpp"
#include "common/core/bytes.hpp"
#include "common/core/clock.hpp"
#include "common/net/unique_fd.hpp"
#include "tests/integration/support/waiting.hpp"

namespace tunnel::test {

// How the peer's bytes ended.
enum class End { orderly, reset, timeout };
std::ostream& operator<<(std::ostream& out, End end);

struct Received {
    Bytes bytes;
    End end = End::timeout;
};

class Peer {
  public:
    // Connects to 127.0.0.1; throws when nobody listens there.
    static Peer connect(Port port);
    // Connects to another address of this host, or to a Unix socket.
    static Peer connect_to(const std::string& address, Port port);
    // Connects to 127.0.0.1 from another address of this host.
    static Peer connect_from(const std::string& address, Port port);
    static Peer connect_to_path(const std::string& path);
    explicit Peer(net::UniqueFd fd);

    // False when the connection broke.
    bool send(BytesView bytes);
    bool send(std::string_view text) { return send(view_of(text)); }
    // Exactly `size` bytes, or fewer when the connection ended.
    Bytes receive(std::size_t size);
    std::string receive_text(std::size_t size);
    Received receive_all(Millis limit = patience);
    // The first `size` bytes that can be read, without waiting for more.
    Bytes receive_some(std::size_t size);

    // Says that nothing more comes (shutdown(2)); reading goes on.
    void finish();
    // Closes with a reset.
    void reset();
    void close() { fd_.reset(); }
    // From another thread: whatever waits in send() or receive() returns.
    void interrupt() const;
    int fd() const { return fd_.get(); }

  private:
    void note_failure(int error);
    net::UniqueFd fd_;
    // The kernel tells of a reset once, and that may be in send().
    std::unique_ptr<std::atomic<bool>> was_reset_ = std::make_unique<std::atomic<bool>>(false);
};

// Sends all and finishes on another thread while receiving to the end.
Received send_and_receive(Peer& peer, BytesView bytes);

// `size` bytes that look random and are the same for the same seed.
Bytes pattern(std::size_t size, std::uint64_t seed = 1);

// Listens on 127.0.0.1; returns the socket and its port.
struct Listening {
    net::UniqueFd fd;
    Port port = 0;
};
Listening listen_on_loopback();
// `count` of them, on ports in a row.
std::vector<Listening> listen_on_row(std::size_t count);
// A Unix socket; the port is 0.
Listening listen_on_path(const std::string& path);
// Ports in a row on which nothing listened a moment ago, below those that the kernel gives away.
PortRange free_row(std::size_t count);
// A port that refuses every connection and that nobody else can take meanwhile.
Listening refuse_on_loopback();

}  // namespace tunnel::test
