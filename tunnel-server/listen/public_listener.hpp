#pragma once
// The public sockets of one mapping: one per bind address and worker. Made and destroyed on the control
// thread; accepting happens on the workers.

#include <functional>
#include <memory>
#include <vector>

#include "common/core/address.hpp"
#include "common/core/log.hpp"
#include "common/core/result.hpp"
#include "common/net/listener.hpp"
#include "common/net/worker.hpp"

namespace tunnel::server {

class PublicListener {
  public:
    // Runs on a worker for each visitor. Copied to every worker.
    using VisitorHandler = std::function<void(net::Worker&, net::Accepted)>;

    // Listens on `port` of every bind address or on none. Errors are those of net::open_listeners.
    static Result<std::shared_ptr<PublicListener>> open(net::WorkerPool& workers,
                                                        const std::vector<IpAddress>& bind, Port port,
                                                        const Log& log, VisitorHandler on_visitor);
    // Tells whether open() would succeed now, and leaves nothing behind.
    static Status probe(const std::vector<IpAddress>& bind, Port port);

    PublicListener(const PublicListener&) = delete;
    PublicListener& operator=(const PublicListener&) = delete;
    // Stops listening at once.
    ~PublicListener();

    Port port() const { return port_; }

  private:
    PublicListener(net::ListenSockets sockets, Port port) : sockets_(std::move(sockets)), port_(port) {}
    net::ListenSockets sockets_;
    Port port_;
};

}  // namespace tunnel::server
