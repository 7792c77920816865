#pragma once
// One direction of a relay: how its bytes move, and what of them is on the way.

#include <cstdint>
#include <memory>
#include <optional>

#include "common/core/bytes.hpp"
#include "common/net/relay/bandwidth.hpp"
#include "common/net/relay/pipe_pool.hpp"

namespace tunnel::net {

struct Direction {
    enum class Way : std::uint8_t {
        copy,    // recv, send
        splice,  // through a leased pipe
        seal,    // recv, records made of it, send
        open,    // recv, records opened, send
    };

    Way way = Way::copy;
    bool may_splice = true;
    bool readable = false;               // the source may have more
    bool held = false;                   // nothing is read from it yet
    bool stuck = false;                  // the target did not take all; its EPOLLOUT goes on
    bool source_ended = false;           // the source's end was read
    bool ended = false;                  // and passed on
    std::uint8_t little = 0;             // times in a row that splicing was not worth its pipe
    std::uint64_t moved = 0;             // bytes of payload that the target took
    std::unique_ptr<Throttle> throttle;  // null: reads as fast as it can

    // Bytes that were read and not yet taken.
    std::optional<Pipe> pipe;
    std::size_t spliced = 0;  // since the source was last found empty
    Bytes rest;
    std::size_t rest_sent = 0;
    std::size_t rest_counts = 0;  // of moved, once the rest is taken
    // The beginning of a record whose end has not come yet (Way::open).
    Bytes partial;
    bool to_boundary = false;  // reading exactly to a record's end, from where the kernel goes on
};

}  // namespace tunnel::net
