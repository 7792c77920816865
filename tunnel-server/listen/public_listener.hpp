#pragma once
// The public sockets of one mapping: one per bind address, port and worker, or one Unix socket for all
// workers. Made and destroyed on the control thread; accepting happens on the workers.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/core/address.hpp"
#include "common/core/clock.hpp"
#include "common/core/log.hpp"
#include "common/core/result.hpp"
#include "common/net/listener.hpp"
#include "common/net/unix_socket.hpp"
#include "common/net/worker.hpp"

namespace tunnel::server {

// Where a mapping's visitors come.
struct PublicPlace {
    std::vector<IpAddress> addresses;
    PortRange ports;
    std::string path;  // a Unix socket instead of ports
    // Silence after which TCP asks whether the visitor is there; 0: never.
    Seconds keepalive{0};
};

class PublicListener {
  public:
    // Runs on a worker for each visitor. Copied to every worker.
    using VisitorHandler = std::function<void(net::Worker&, net::Accepted)>;

    // Listens on every port of every address or on none. Errors are those of net::open_listeners and
    // net::UnixListener.
    static Result<std::shared_ptr<PublicListener>> open(net::WorkerPool& workers, const PublicPlace& place,
                                                        const Log& log, VisitorHandler on_visitor);
    // How many sockets open() would make.
    static std::size_t sockets_for(const PublicPlace& place, std::size_t workers);
    std::size_t sockets() const { return unix_ ? 1 : sockets_.size(); }
    // Tells whether open() would succeed now, and leaves nothing behind.
    static Status probe(const PublicPlace& place);

    PublicListener(const PublicListener&) = delete;
    PublicListener& operator=(const PublicListener&) = delete;
    // Stops listening at once.
    ~PublicListener();

    // For visitors who come from now on.
    void set_keepalive(Seconds keepalive);

  private:
    PublicListener() = default;
    // Accepts from it on that worker.
    void serve(net::Worker& worker, const std::shared_ptr<net::ListenSocket>& socket, const Log& log,
               const VisitorHandler& on_visitor);

    net::ListenSockets sockets_;
    std::unique_ptr<net::UnixListener> unix_;
};

}  // namespace tunnel::server
