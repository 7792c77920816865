#pragma once

#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace tunnel::bench {

// Prints the sentence on stderr and exits 1. A measurement that cannot be taken has no other outcome, so the
// load program needs no error values.
[[noreturn]] void die(const std::string& why);
[[noreturn]] void die_errno(const std::string& what);

// An owned descriptor.
class Fd {
  public:
    Fd() = default;
    explicit Fd(int fd) : fd_(fd) {}
    Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Fd& operator=(Fd&& other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    ~Fd() { reset(); }

    int get() const { return fd_; }
    bool valid() const { return fd_ >= 0; }
    void reset();

  private:
    int fd_ = -1;
};

// A loopback address and port. length 0: none.
struct Endpoint {
    sockaddr_storage address{};
    socklen_t length = 0;
};

// Reads "127.0.0.1:80" or "[::1]:80". Anything that is not a loopback address is refused: this program makes
// load, and must not be pointed at someone else's host. On refusal `why` says so.
std::optional<Endpoint> parse_loopback(std::string_view text, std::string& why);

// A non-blocking, TCP_NODELAY socket whose connect to `target` has been started. With `spread`, the source
// address walks through 127.0.1.1 .. 127.0.1.16 (IPv4 only): one address has about 28,000 ports, each closed
// connection keeps its port for a minute, and the bench must measure the tunnel, not that limit. An invalid
// Fd: the connect failed at once, errno says why.
Fd start_connect(const Endpoint& target, std::optional<std::uint32_t> spread = std::nullopt);

// 0 when the started connect has succeeded, else its errno.
int connect_result(const Fd& fd);

// A listening socket on a free port of 127.0.0.1, and that port.
std::pair<Fd, std::uint16_t> listen_loopback();

// Large socket buffers, so that no datagram is lost at this program's doors.
void widen(const Fd& fd);

// Level-triggered epoll. The tag comes back in epoll_event::data.u64.
class Poller {
  public:
    Poller();
    void watch(const Fd& fd, std::uint32_t events, std::uint64_t tag);
    void change(const Fd& fd, std::uint32_t events, std::uint64_t tag);
    void forget(const Fd& fd);
    // Waits at most `milliseconds`; the span is good until the next wait.
    std::span<const epoll_event> wait(int milliseconds);

  private:
    Fd epoll_;
    std::array<epoll_event, 256> events_{};
};

// Raises the soft limit of descriptors to the hard one.
void raise_descriptor_limit();

}  // namespace tunnel::bench
