#pragma once
// Pipes for splice(2), leased while bytes are in flight. One pool a worker thread, used by that thread only.
//
// An unprivileged user gets 64 MiB of pipe pages in all (fs.pipe-user-pages-soft, pipe(7)): past that, new
// pipes have one page or two and splice costs more than copying. So the pool is bounded, reads back what size
// it got, and says no when a pipe is too small to be worth it; the relay then copies.

#include <cstddef>
#include <optional>
#include <vector>

#include "common/net/unique_fd.hpp"

namespace tunnel::net {

struct Pipe {
    UniqueFd read;
    UniqueFd write;
    std::size_t capacity = 0;
    std::size_t bytes_inside = 0;
};

class PipePool {
  public:
    struct Limits {
        std::size_t leased = 512;             // pipes out at once; beyond it relays copy
        std::size_t kept = 32;                // idle pipes kept for reuse
        int wanted_size = 256 * 1024;         // F_SETPIPE_SZ
        std::size_t useful_size = 64 * 1024;  // a smaller pipe is not used
    };
    PipePool() = default;
    explicit PipePool(Limits limits) : limits_(limits) {}

    // An empty pipe, or nothing when the limit is reached or the kernel grants no useful one.
    std::optional<Pipe> lease();
    // Every leased pipe comes back. One that still holds bytes is destroyed: they belong to a dead
    // connection.
    void give_back(Pipe pipe);

    std::size_t leased() const { return leased_; }
    std::size_t idle() const { return idle_.size(); }

  private:
    Limits limits_;
    std::vector<Pipe> idle_;  // used from the back, so that the warmest pages are reused
    std::size_t leased_ = 0;
};

}  // namespace tunnel::net
