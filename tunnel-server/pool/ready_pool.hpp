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
    net::UniqueFd fd;
    Secret ticket_key;
    wire::Preface preface;
    Cipher cipher;
};

class ReadyPool {
  public:
    // Some of a session's connections were lost; neither take() nor drop() is told of.
    using Lost = std::function<void(const SeatKey& seat, SessionId session, std::size_t count)>;
    ReadyPool(asio::io_context& context, net::EventSet& events, Lost on_lost);
    ReadyPool(const ReadyPool&) = delete;
    ReadyPool& operator=(const ReadyPool&) = delete;
    ~ReadyPool();

    // A newer session's connection takes the place of all of an older one. False when it cannot be watched.
    bool add(const SeatKey& seat, ReadyConnection connection);
    // The one that came last, whose path was used last. `silence`: no path is alive that has not been heard
    // of for this long, keepalive probes included. It stays in the event set, for its next handler: hand it
    // over or remove it there before anything else happens.
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
        bool gone = false;
    };
    using Stack = std::vector<std::unique_ptr<Parked>>;

    void on_events(Parked& parked, std::uint32_t events);
    // Takes it out of the event set.
    ReadyConnection release(std::unique_ptr<Parked> parked);
    // Its handler may still be called in this turn.
    void retire(std::unique_ptr<Parked> parked);

    asio::io_context& context_;
    net::EventSet& events_;
    Lost on_lost_;
    std::map<SeatKey, Stack> seats_;
};

}  // namespace tunnel::server
