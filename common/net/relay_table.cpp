#include "common/net/relay_table.hpp"

#include "common/net/relay.hpp"
#include "common/net/socket.hpp"

namespace tunnel::net {

RelayTable::Entry::Entry(RelayTable& table, Relay& relay, RelayLabel label) : table_(table), id_(label.id) {
    table_.running_.insert_or_assign(id_, Running{&relay, std::move(label)});
}

RelayTable::Entry::~Entry() {
    table_.running_.erase(id_);
}

std::vector<RelaySnapshot> RelayTable::list() const {
    std::vector<RelaySnapshot> out;
    out.reserve(running_.size());
    for (const auto& [id, running] : running_)
        out.push_back({running.label, running.relay->from_outer(), running.relay->to_outer()});
    return out;
}

bool RelayTable::abort(ConnectionId id, RelayEnd reason) {
    const auto found = running_.find(id);
    if (found == running_.end()) return false;
    found->second.relay->abort(reason);
    return true;
}

// Aborting cancels waits; the relays leave this table when their coroutines run, not inside these loops.
void RelayTable::abort_all(RelayEnd reason) {
    for (const auto& [id, running] : running_) running.relay->abort(reason);
}

void RelayTable::abort_of(const std::string& client, const std::string& mapping, RelayEnd reason) {
    for (const auto& [id, running] : running_) {
        if (running.label.client == client && (mapping.empty() || running.label.mapping == mapping))
            running.relay->abort(reason);
    }
}

void RelayTable::abort_dead(Millis timeout) {
    for (const auto& [id, running] : running_) {
        if (peer_seems_dead(running.relay->data_fd(), timeout))
            running.relay->abort(RelayEnd::dead_peer,
                                 fmt::format("no answer for {}", format_duration(timeout)));
    }
}

}  // namespace tunnel::net
