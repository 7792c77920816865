#pragma once
// The data connections that wait at one worker for visitors, by seat. One that breaks meanwhile is found at
// once; one whose path seems dead is not given out. That worker's thread only.

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "common/core/cipher.hpp"
#include "common/core/clock.hpp"
#include "common/core/ids.hpp"
#include "common/core/secret.hpp"
#include "common/net/event_set.hpp"
#include "common/net/socket.hpp"
#include "common/net/unique_fd.hpp"
#include "common/wire/preface.hpp"
#include "tunnel-server/mappings/mapping_key.hpp"

namespace tunnel::server {

// A data connection whose ticket was good.
struct ReadyConnection {
    net::UniqueFd fd;  // in the worker's event set
    Secret ticket_key;
    wire::Preface preface;
    Cipher cipher;
    bool reuse = false;                       // its client can take it back after the stream
    std::chrono::microseconds round_trip{0};  // as of when it was taken
};

class ReadyPool {
  public:
    // Some of a session's connections were lost; neither take() nor drop() is told of.
    using Lost = std::function<void(const SeatKey& seat, SessionId session, std::size_t count)>;
    ReadyPool(net::EventSet& events, Lost on_lost);
    ReadyPool(const ReadyPool&) = delete;
    ReadyPool& operator=(const ReadyPool&) = delete;
    ~ReadyPool();

    // A newer session's connection takes the place of all of an older one.
    void add(const SeatKey& seat, ReadyConnection connection);
    // The one that came last, whose path was used last. `silence`: no path is alive that has not been heard
    // of for this long, keepalive probes included. It stays in the event set, without a handler.
    std::optional<ReadyConnection> take(const SeatKey& seat, Millis silence);
    void drop(const SeatKey& seat);
    // Closes the `count` oldest, or all there are; returns how many.
    std::size_t trim(const SeatKey& seat, std::size_t count);
    void clear();
    std::size_t size(const SeatKey& seat) const;
    // Of the connections in it; there must be some.
    SessionId session(const SeatKey& seat) const;

  private:
    struct Parked final : net::EventSet::Handler {
        Parked(ReadyPool& in, const SeatKey& of, ReadyConnection is)
            : pool(in), seat(of), connection(std::move(is)) {}
        void on_events(std::uint32_t events) override { pool.on_events(*this, events); }
        ReadyPool& pool;
        SeatKey seat;
        ReadyConnection connection;
    };
    using Stack = std::vector<std::unique_ptr<Parked>>;

    void on_events(Parked& parked, std::uint32_t events);
    void close(std::unique_ptr<Parked> parked);

    net::EventSet& events_;
    Lost on_lost_;
    std::map<SeatKey, Stack> seats_;
};

}  // namespace tunnel::server
