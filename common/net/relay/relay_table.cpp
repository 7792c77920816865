#include "common/net/relay/relay_table.hpp"

#include <utility>

#include "common/net/socket.hpp"

namespace tunnel::net {

Relay& RelayTable::add(RelayLabel label, UniqueFd outer, UniqueFd data, std::optional<RecordLayers> records) {
    const auto id = label.id;
    return running_
        .try_emplace(id, std::move(label), resources_, std::move(outer), std::move(data), std::move(records))
        .first->second.relay;
}

void RelayTable::run(ConnectionId id, std::unique_ptr<RelayPrologue> prologue, Done done,
                     const RelayBeginning& beginning) {
    running_.at(id).relay.start(
        std::move(prologue),
        [this, id, done = std::move(done)](RelayResult result) {
            if (!limited_.empty()) limited_.erase(id);
            const auto ended = running_.extract(id);
            done(ended.mapped().label, std::move(result));
        },
        beginning);
}

void RelayTable::limit(ConnectionId id, RelayLimits limits) {
    if (limits.idle == Millis(0) && limits.lifetime == Millis(0)) return;
    const auto now = Clock::now();
    limited_[id] = {limits, now, now};
}

void RelayTable::tend(TimePoint now) {
    for (const auto& young : std::exchange(young_, {})) {
        const auto found = running_.find(young.id);
        if (found != running_.end()) set_keepalive(found->second.relay.outer_fd(), young.liveness);
    }
    for (auto& [id, limited] : limited_) {
        auto& relay = running_.at(id).relay;
        const auto& limits = limited.limits;
        const auto moved = relay.from_outer() + relay.to_outer();
        if (moved != limited.moved) {
            limited.moved = moved;
            limited.moved_at = now;
        }
        if (limits.lifetime > Millis(0) && now - limited.started >= limits.lifetime)
            relay.abort(RelayEnd::lifetime, fmt::format("it lasted {}", format_duration(limits.lifetime)));
        else if (limits.idle > Millis(0) && now - limited.moved_at >= limits.idle)
            relay.abort(RelayEnd::idle, fmt::format("no byte for {}", format_duration(limits.idle)));
    }
}

std::vector<RelaySnapshot> RelayTable::list() const {
    std::vector<RelaySnapshot> out;
    out.reserve(running_.size());
    for (const auto& [id, running] : running_)
        out.push_back({running.label, running.relay.from_outer(), running.relay.to_outer()});
    return out;
}

bool RelayTable::abort(ConnectionId id, RelayEnd reason) {
    const auto found = running_.find(id);
    if (found == running_.end()) return false;
    found->second.relay.abort(reason);
    return true;
}

// Aborted relays leave this table in turns of their own, not inside these loops.
void RelayTable::abort_all(RelayEnd reason) {
    for (auto& [id, running] : running_) running.relay.abort(reason);
}

void RelayTable::abort_of(const std::string& client, const std::string& mapping, RelayEnd reason) {
    for (auto& [id, running] : running_) {
        if (running.label.client == client && (mapping.empty() || running.label.mapping == mapping))
            running.relay.abort(reason);
    }
}

void RelayTable::set_bandwidths_of(const std::string& client, const std::string& mapping, Limiter limiter,
                                   const std::shared_ptr<Bandwidth>& in,
                                   const std::shared_ptr<Bandwidth>& out) {
    for (auto& [id, running] : running_) {
        if (running.label.client == client && (mapping.empty() || running.label.mapping == mapping))
            running.relay.set_bandwidths(limiter, in, out);
    }
}

void RelayTable::abort_dead(Millis timeout) {
    for (auto& [id, running] : running_) {
        if (peer_seems_dead(running.relay.data_fd(), timeout))
            running.relay.abort(RelayEnd::dead_peer,
                                fmt::format("no answer for {}", format_duration(timeout)));
    }
}

}  // namespace tunnel::net
