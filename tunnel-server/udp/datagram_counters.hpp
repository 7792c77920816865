#pragma once
// What is counted of a mapping's datagrams, by the workers, for the admin.

#include <array>
#include <atomic>
#include <cstdint>
#include <string_view>

namespace tunnel::server {

// Why a datagram was dropped.
enum class DatagramDrop {
    queue,        // the way to the client takes no more
    no_way,       // there is no way to the client, or none that the mapping's transport permits
    flows,        // its flow would be one too many
    unreachable,  // nobody answers at the service's port
    client,       // the client could not or would not serve the flow
    visitor,      // the system would not send it to the visitor
    bandwidth,    // the mapping or its client may have no more bytes a second
    size,         // with its PROXY header it is longer than a datagram can be
};
constexpr std::size_t datagram_drops = 8;
constexpr std::array<std::string_view, datagram_drops> datagram_drop_names{
    "queue", "no_way", "flows", "unreachable", "client", "visitor", "bandwidth", "size"};

struct DatagramCounters {
    std::atomic<std::uint32_t> flows{0};  // now
    std::atomic<std::uint64_t> flows_total{0};
    // One more flow, unless there are so many. Workers share the places.
    bool take_place(std::uint32_t most) {
        auto taken = flows.load();
        while (taken < most && !flows.compare_exchange_weak(taken, taken + 1)) {
        }
        return taken < most;
    }
    std::atomic<std::uint64_t> datagrams_in{0};   // from visitors
    std::atomic<std::uint64_t> datagrams_out{0};  // to visitors
    std::atomic<std::uint64_t> bytes_in{0};
    std::atomic<std::uint64_t> bytes_out{0};
    std::array<std::atomic<std::uint64_t>, datagram_drops> dropped{};
    // Ways to the client that are open, and those of them that are by packets.
    std::atomic<std::uint32_t> ways{0};
    std::atomic<std::uint32_t> packet_ways{0};

    void drop(DatagramDrop why, std::uint64_t count = 1) { dropped[static_cast<std::size_t>(why)] += count; }
};

}  // namespace tunnel::server
