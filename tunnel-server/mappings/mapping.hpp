#pragma once
// One mapping as the running server knows it, whether the admin made it or a client declared it.

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "common/core/address.hpp"
#include "common/core/clock.hpp"
#include "common/core/result.hpp"
#include "common/mapping/mapping_options.hpp"
#include "common/wire/control_messages.hpp"
#include "tunnel-server/mappings/route.hpp"
#include "tunnel-server/udp/datagram_counters.hpp"

namespace tunnel::server {

class PublicListener;
class UdpListener;

// Counted by the workers, read by the control thread.
struct MappingCounters {
    std::atomic<std::uint32_t> visitors{0};  // being relayed now
    std::atomic<std::uint64_t> visitors_total{0};
    std::atomic<std::uint64_t> bytes_in{0};   // from visitors, of relays that ended
    std::atomic<std::uint64_t> bytes_out{0};  // to visitors, of relays that ended
    std::atomic<std::uint64_t> refused_total{0};
    DatagramCounters datagrams;
    RefusalCounters refusals;  // those of refused_total who were turned away at the door
};

inline void Route::came() const {
    counters->visitors += 1;
    if (member) member->visitor_came();
}
inline void Route::went() const {
    counters->visitors -= 1;
    if (member) member->visitor_went();
}

enum class MappingState {
    listening,  // visitors are served
    waiting,    // the client is away within the grace time: visitors wait
    offline,    // the client is not connected
    paused,     // by the admin
    refused,    // it cannot listen, or the client's rules forbid it: `refusal` says why
};
std::string_view to_string(MappingState state);

struct Mapping {
    MappingKey key;
    wire::MappingSource source = wire::MappingSource::admin;
    std::string slot;  // the session that serves it; empty: the client's `run`
    MappingOptions options;
    Port port = 0;        // the first that it listens on, or did last; 0 on a Unix socket
    std::string problem;  // why the options that the store holds cannot be used, if they cannot
    bool paused = false;
    MappingState state = MappingState::offline;
    std::optional<Error> refusal;
    std::string last_error;
    WallTime last_error_at{};
    WallTime created_at{};
    std::shared_ptr<MappingCounters> counters = std::make_shared<MappingCounters>();
    Gate gate{nullptr, std::make_shared<VisitorCount>(0)};
    Bandwidths bandwidths;
    std::shared_ptr<const NetworkSet> proxies;
    std::shared_ptr<RouteCell> route = std::make_shared<RouteCell>();  // that of its group, if it has one
    bool in_group = false;                                             // `route` is shared
    Balancer::Members members;  // a group's part that is this mapping's, in the order of services_of()
    std::shared_ptr<PublicListener> listener;   // while listening or waiting; that of its group, likewise
    std::shared_ptr<UdpListener> udp_listener;  // likewise, of a UDP mapping

    void stop_listening() {
        listener.reset();
        udp_listener.reset();
    }
    // Together with another of its group.
    void listen_with(const Mapping& other) {
        listener = other.listener;
        udp_listener = other.udp_listener;
    }
    bool listens() const { return listener != nullptr || udp_listener != nullptr; }

    // The public endpoint with the port that the server chose, if it has chosen one.
    PublicEndpoint endpoint() const {
        auto chosen = options.endpoint;
        if (chosen.port_is_chosen()) chosen.ports = {port, port};
        return chosen;
    }
};

}  // namespace tunnel::server
