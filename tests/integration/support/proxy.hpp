#pragma once
// The network between client and server: a TCP proxy that can cut, hold back, alter and record. It tells
// control connections from data connections by their first byte, as the server does.

#include <atomic>
#include <cstdint>
#include <list>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "common/wire/preface.hpp"
#include "tests/integration/support/peer.hpp"

namespace tunnel::test {

class Proxy {
  public:
    enum class Kind { control, data };
    enum class Direction { to_server, to_client };

    explicit Proxy(Port upstream);
    Proxy(const Proxy&) = delete;
    Proxy& operator=(const Proxy&) = delete;
    ~Proxy();

    Port port() const { return listening_.port; }
    // For connections from now on: a server that restarted may have another port.
    void set_upstream(Port port) { upstream_ = port; }

    // Resets every present connection of that kind, at both ends.
    void cut(Kind kind);
    // While closed, new connections are reset at once; present ones go on.
    void close_door(bool closed) { door_closed_ = closed; }
    // While held, no byte of that kind of connection passes, in either direction.
    void hold(Kind kind, bool held) { held_[index(kind)] = held; }
    // Flips one bit of the byte at this offset of every data connection from now on. Nothing: flips none.
    void flip(Direction direction, std::optional<std::uint64_t> offset);

    // Connections of that kind ever, and now.
    std::size_t ever(Kind kind) const { return ever_[index(kind)]; }
    std::size_t open(Kind kind) const { return open_[index(kind)]; }
    // Bytes of data connections in one direction.
    std::uint64_t data_bytes(Direction direction) const {
        return data_bytes_[static_cast<std::size_t>(direction)];
    }
    // Whether these bytes passed in the clear on a data connection, towards the server.
    bool saw(BytesView bytes) const;
    // The first bytes of every data connection.
    std::vector<wire::PrefaceBytes> prefaces() const;

  private:
    struct Connection;
    static std::size_t index(Kind kind) { return static_cast<std::size_t>(kind); }
    void accept();
    void serve(Connection& connection);
    void pump(Connection& connection, Direction direction);
    bool pass_on(Connection& connection, int to, MutableBytes bytes, Direction direction,
                 std::uint64_t offset);
    void record(Connection& connection, BytesView bytes);
    void reap();

    Listening listening_;
    std::atomic<Port> upstream_;
    std::atomic<bool> door_closed_{false};
    std::atomic<bool> ending_{false};
    std::atomic<bool> held_[2]{};
    std::atomic<std::int64_t> flip_at_[2]{-1, -1};
    std::atomic<std::size_t> ever_[2]{};
    std::atomic<std::size_t> open_[2]{};
    std::atomic<std::uint64_t> data_bytes_[2]{};
    mutable std::mutex mutex_;
    std::list<Connection> connections_;
    std::vector<wire::PrefaceBytes> prefaces_;
    Bytes seen_;  // the beginning of what went towards the server
    std::thread thread_;
};

}  // namespace tunnel::test
