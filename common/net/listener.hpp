#pragma once
// Listening sockets, one per worker thread on the same address (SO_REUSEPORT, socket(7)), and the accept
// loop.

#include <atomic>
#include <functional>
#include <memory>
#include <vector>

#include "common/core/log.hpp"
#include "common/core/result.hpp"
#include "common/net/asio.hpp"
#include "common/net/unique_fd.hpp"

namespace tunnel::net {

// Shared by the thread that opened it and the worker that accepts from it, so that close_now() can act from
// either.
class ListenSocket {
  public:
    explicit ListenSocket(UniqueFd fd) : fd_(std::move(fd)) {}
    int fd() const { return fd_.get(); }
    // Stops listening at once, from any thread; pending visitors are reset and the accept loop ends.
    void close_now() const;
    bool closed() const { return closed_; }

  private:
    UniqueFd fd_;
    mutable std::atomic<bool> closed_{false};
};
using ListenSockets = std::vector<std::shared_ptr<ListenSocket>>;

// Opens `count` sockets on one address. Port 0 lets the kernel choose one port for all of them. On a wildcard
// IPv6 address both families are served; where the host has no IPv6 the IPv4 wildcard takes its place.
// Refuses an address that any other socket listens on, another process of ours included (Errc::conflict).
// Errors name the address.
Result<ListenSockets> open_listeners(const tcp::endpoint& address, std::size_t count);

// The address the sockets are really bound to.
tcp::endpoint bound_address(const ListenSockets& sockets);

struct Accepted {
    UniqueFd fd;         // non-blocking, close-on-exec
    tcp::endpoint peer;  // 0.0.0.0:0 on a Unix socket
};

// Whose connections a listener takes, which decides what it does as this process's descriptors
// (RLIMIT_NOFILE) run short. Each visitor needs a data connection before it is served, so the last quarter
// of the descriptors, at most 1024, is kept for peers (clients and admins): visitors wait in the backlog.
enum class Accepts { visitors, peers };

// Accepts until the socket is closed or the task is cancelled. `on_accept` runs on this thread and must not
// block. Running out of descriptors or memory (EMFILE, ENFILE, ENOBUFS, ENOMEM) pauses the loop and never
// ends it.
awaitable<void> accept_loop(std::shared_ptr<ListenSocket> socket, Accepts accepts, Log log,
                            std::function<void(Accepted)> on_accept);

}  // namespace tunnel::net
