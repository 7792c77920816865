#pragma once
// The relays that run on one worker: what `connection list` shows and `connection close`, a drain or the end
// of a dead peer act on. That worker's thread only.

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/core/clock.hpp"
#include "common/core/ids.hpp"
#include "common/net/relay_end.hpp"

namespace tunnel::net {

class Relay;

// Whose relay it is, for people.
struct RelayLabel {
    ConnectionId id;
    std::string client;
    std::string mapping;
    std::string visitor;
    bool encrypt = true;
    WallTime since;
};

struct RelaySnapshot {
    RelayLabel label;
    std::uint64_t bytes_in = 0;   // from the visitor
    std::uint64_t bytes_out = 0;  // to the visitor
};

class RelayTable {
  public:
    // Keeps the relay listed as long as it lives. The relay must outlive it.
    class Entry {
      public:
        Entry(RelayTable& table, Relay& relay, RelayLabel label);
        ~Entry();
        Entry(const Entry&) = delete;
        Entry& operator=(const Entry&) = delete;

      private:
        RelayTable& table_;
        ConnectionId id_;
    };

    std::size_t size() const { return running_.size(); }
    std::vector<RelaySnapshot> list() const;
    // False when there is none of that id.
    bool abort(ConnectionId id, RelayEnd reason);
    void abort_all(RelayEnd reason);
    // Of one client, or of one of its mappings when `mapping` is not empty.
    void abort_of(const std::string& client, const std::string& mapping, RelayEnd reason);
    // Ends the relays whose data connection's other end has not answered for `timeout`.
    void abort_dead(Millis timeout);

  private:
    struct Running {
        Relay* relay;
        RelayLabel label;
    };
    std::unordered_map<ConnectionId, Running> running_;
};

}  // namespace tunnel::net
