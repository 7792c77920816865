#pragma once
// What a worker lends to the relays that run on it. That worker's thread only.

#include "common/core/bytes.hpp"
#include "common/net/asio.hpp"
#include "common/net/event_set.hpp"
#include "common/net/relay/pipe_pool.hpp"

namespace tunnel::net {

// Scratch memory of one thread: used within one turn, never across two, so that no connection owns a buffer.
struct ScratchBuffers {
    static constexpr std::size_t size = 96 * 1024;
    Bytes in = Bytes(size);
    Bytes out = Bytes(size);
};

struct RelayResources {
    asio::io_context& context;
    EventSet& events;
    PipePool& pipes;
    ScratchBuffers& scratch;
};

}  // namespace tunnel::net
