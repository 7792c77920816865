#pragma once
// The relays that run on one worker, and their owner: what `connection list` shows and `connection close`, a
// drain or the end of a dead peer act on. That worker's thread only.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/core/clock.hpp"
#include "common/core/ids.hpp"
#include "common/net/relay/relay.hpp"
#include "common/net/socket.hpp"

namespace tunnel::net {

// Whose relay it is, for people.
struct RelayLabel {
    ConnectionId id;
    std::string client;
    std::string mapping;
    std::string visitor;
    bool encrypt = true;
    WallTime since;
    std::string service{};
};

struct RelaySnapshot {
    RelayLabel label;
    std::uint64_t bytes_in = 0;   // from the visitor
    std::uint64_t bytes_out = 0;  // to the visitor
};

// How long a relay may last; 0: as long as it likes.
struct RelayLimits {
    Millis idle{0};      // without a byte in either direction
    Millis lifetime{0};  // in all
};

class RelayTable {
  public:
    explicit RelayTable(RelayResources resources) : resources_(resources) {}

    // Lists a relay of these sockets, which run() has to start in the same turn.
    Relay& add(RelayLabel label, UniqueFd outer, UniqueFd data, std::optional<RecordLayers> records);
    // `done` is called when the relay has ended and is no longer listed.
    // Of a relay that is listed. Kept to by tend().
    void limit(ConnectionId id, RelayLimits limits);
    // Has TCP ask the outer socket's peer now and then whether it is there, once the relay has lasted for a
    // moment: most are over before it is worth the system calls.
    void keep_alive(ConnectionId id, Liveness liveness) { young_.push_back({id, liveness}); }
    using Done = std::function<void(const RelayLabel&, RelayResult)>;
    void run(ConnectionId id, std::unique_ptr<RelayPrologue> prologue, Done done,
             const RelayBeginning& beginning = {});

    std::size_t size() const { return running_.size(); }
    std::vector<RelaySnapshot> list() const;
    // Relay::set_bandwidths() of those of one client, or of one of its mappings when `mapping` is not empty.
    void set_bandwidths_of(const std::string& client, const std::string& mapping, Limiter limiter,
                           const std::shared_ptr<Bandwidth>& in, const std::shared_ptr<Bandwidth>& out);
    // False when there is none of that id.
    bool abort(ConnectionId id, RelayEnd reason);
    void abort_all(RelayEnd reason);
    // Of one client, or of one of its mappings when `mapping` is not empty.
    void abort_of(const std::string& client, const std::string& mapping, RelayEnd reason);
    // Ends the relays whose data connection's other end has not answered for `timeout`.
    void abort_dead(Millis timeout);
    // Ends those that are beyond their limits, and looks after those that are new. To be called now and then;
    // how often is how exactly limits are kept to. Costs nothing when there is nothing to do.
    void tend(TimePoint now);

  private:
    struct Running {
        Running(RelayLabel whose, RelayResources resources, UniqueFd outer, UniqueFd data,
                std::optional<RecordLayers> records)
            : label(std::move(whose)),
              relay(resources, std::move(outer), std::move(data), std::move(records)) {}
        RelayLabel label;
        Relay relay;
    };
    // Apart from Running, so that a relay without limits pays nothing for them.
    struct Limited {
        RelayLimits limits;
        TimePoint started;
        TimePoint moved_at;  // when a byte was last seen to have moved
        std::uint64_t moved = 0;
    };
    struct Young {
        ConnectionId id;
        Liveness liveness;
    };
    RelayResources resources_;
    std::vector<Young> young_;
    std::unordered_map<ConnectionId, Running> running_;
    std::unordered_map<ConnectionId, Limited> limited_;
};

}  // namespace tunnel::net
