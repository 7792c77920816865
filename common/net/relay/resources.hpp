#pragma once
// What a worker lends to the relays that run on it. That worker's thread only.

#include "common/core/buffer.hpp"
#include "common/net/asio.hpp"
#include "common/net/event_set.hpp"
#include "common/net/kernel_tls.hpp"
#include "common/net/relay/bandwidth.hpp"
#include "common/net/relay/opening_queue.hpp"
#include "common/net/relay/pipe_pool.hpp"

namespace tunnel::net {

// Scratch memory of one thread: used within one turn, never across two, so that no connection owns a buffer.
struct ScratchBuffers {
    static constexpr std::size_t size = 96 * 1024;
    Buffer in{size};
    Buffer out{size};
};

// Whether the kernel is asked to seal and open, and from when: handing a direction over costs some system
// calls and kernel memory, which only bulk is worth.
struct KernelTlsUse {
    static constexpr std::uint64_t bulk = 1024 * 1024;
    KernelTls support;
    // Bytes that a direction has moved; from then on the first read that fills the buffer hands it over.
    // 0: any read does.
    std::uint64_t after = bulk;
};

struct RelayResources {
    asio::io_context& context;
    EventSet& events;
    PipePool& pipes;
    ScratchBuffers& scratch;
    BandwidthQueue& bandwidth;
    OpeningQueue& openings;
    const KernelTlsUse& kernel_tls;
};

}  // namespace tunnel::net
