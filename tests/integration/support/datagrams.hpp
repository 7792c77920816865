#pragma once
// Datagrams from both outer sides, and on their way between the ends: a visitor's socket, an echo service,
// and a proxy for packets. Blocking calls with a deadline.

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <thread>

#include "common/core/bytes.hpp"
#include "common/net/datagram/udp_socket.hpp"
#include "common/net/unique_fd.hpp"
#include "tests/integration/support/waiting.hpp"

namespace tunnel::test {

// A socket that talks to a public port of 127.0.0.1.
class UdpVisitor {
  public:
    explicit UdpVisitor(Port port);
    bool send(BytesView bytes);
    // Nothing when none came in time.
    std::optional<Bytes> receive(Millis limit = patience);
    // Sends until an answer has come: what the first datagrams of a mapping meet may be lost.
    std::optional<Bytes> ask(BytesView bytes, Millis limit = patience);
    Port port() const;

  private:
    net::UniqueFd fd_;
};

// Visitors of many addresses with one socket: each has an address of its own in 127.0.0.0/8.
class UdpCrowd {
  public:
    struct Heard {
        std::uint32_t member;
        Bytes bytes;
    };
    explicit UdpCrowd(Port port);
    bool send(std::uint32_t member, BytesView bytes);
    std::optional<Heard> receive(Millis limit = patience);

  private:
    net::UniqueFd fd_;
    net::udp::endpoint target_;
};

// Listens on 127.0.0.1 and answers each datagram with what `answer` makes of it; nothing is not sent.
class UdpService {
  public:
    using Answer = std::function<std::optional<Bytes>(BytesView)>;
    // Echoes.
    UdpService();
    explicit UdpService(Answer answer, Port port = 0);
    UdpService(const UdpService&) = delete;
    UdpService& operator=(const UdpService&) = delete;
    ~UdpService();

    Port port() const { return port_; }
    std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
    std::size_t received() const { return received_; }
    // How many addresses datagrams came from.
    std::size_t flows() const;

  private:
    void run();
    Answer answer_;
    net::UniqueFd fd_;
    Port port_;
    std::atomic<bool> ending_{false};
    std::atomic<std::size_t> received_{0};
    mutable std::mutex mutex_;
    std::set<std::pair<std::string, Port>> seen_;
    std::thread thread_;
};

// Stands between the client's packets and the server's tunnel port, on a port that a TCP proxy has as well.
class PacketProxy {
  public:
    PacketProxy(Port port, Port upstream);
    PacketProxy(const PacketProxy&) = delete;
    PacketProxy& operator=(const PacketProxy&) = delete;
    ~PacketProxy();

    // Of 1000 packets so many are lost, in each direction.
    void lose(unsigned per_mille) { loss_ = per_mille; }
    // Packets of more bytes are lost.
    void set_mtu(std::size_t bytes) { mtu_ = bytes; }
    // What a NAT does that forgets: the server sees another port from now on.
    void rebind() { rebinds_ += 1; }
    std::size_t passed() const { return passed_; }
    std::size_t largest() const { return largest_; }

  private:
    struct Client;
    void run();
    bool loses(std::size_t size);

    net::UniqueFd fd_;
    const Port upstream_;
    std::atomic<bool> ending_{false};
    std::atomic<unsigned> loss_{0};
    std::atomic<std::size_t> mtu_{65'507};
    std::atomic<unsigned> rebinds_{0};
    std::atomic<std::size_t> passed_{0};
    std::atomic<std::size_t> largest_{0};
    std::mt19937 random_{1};
    std::thread thread_;
};

}  // namespace tunnel::test
