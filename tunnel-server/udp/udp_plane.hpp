#pragma once
// The server's UDP side as the control thread sees it: public ports of UDP mappings, and the tunnel port's
// UDP sockets, at all workers.

#include <memory>
#include <vector>

#include "tunnel-server/listen/public_listener.hpp"
#include "tunnel-server/pool/pairing_group.hpp"
#include "tunnel-server/udp/udp_entrance.hpp"
#include "tunnel-server/udp/udp_worker.hpp"

namespace tunnel::server {

// The public sockets of one UDP mapping, at every worker, until it is destroyed. Control thread.
class UdpListener {
  public:
    using Entrances = std::vector<std::pair<UdpWorker*, std::shared_ptr<UdpEntrance>>>;
    UdpListener(Entrances entrances, std::size_t sockets)
        : entrances_(std::move(entrances)), sockets_(sockets) {}
    UdpListener(const UdpListener&) = delete;
    UdpListener& operator=(const UdpListener&) = delete;
    // Its flows end.
    ~UdpListener();
    std::size_t sockets() const { return sockets_; }

  private:
    Entrances entrances_;
    std::size_t sockets_;
};

class UdpPlane {
  public:
    UdpPlane(net::WorkerPool& workers, PairingGroup& pairings, UdpWorker::Failure on_failure);

    // Takes packets on these addresses of the tunnel port. What keeps it from that is logged: datagrams then
    // go by stream.
    void take_packets(const std::vector<net::tcp::endpoint>& addresses, const Log& log);
    // On every port of every address or on none.
    Result<std::shared_ptr<UdpListener>> open(const PublicPlace& place,
                                              const std::shared_ptr<RouteCell>& routes);
    // Tells whether open() would succeed now, and leaves nothing behind.
    static Status probe(const PublicPlace& place);
    std::uint64_t bad_packets() const { return bad_packets_.count; }

    // At the end, after all listeners are gone and before the workers stop.
    net::awaitable<void> close();

  private:
    net::WorkerPool& workers_;
    UdpWorker::BadPackets bad_packets_;
    std::vector<std::unique_ptr<UdpWorker>> at_;
};

}  // namespace tunnel::server
