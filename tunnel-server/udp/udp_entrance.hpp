#pragma once
// One public UDP port at one worker: its sockets, the flows that come by them, and the ways that lead them to
// the client. That worker's thread.

#include <functional>
#include <memory>
#include <vector>

#include "tunnel-server/udp/client_way.hpp"
#include "tunnel-server/udp/datagram_counters.hpp"
#include "tunnel-server/udp/flow_table.hpp"
#include "tunnel-server/udp/udp_worker.hpp"

namespace tunnel::server {

class UdpEntrance final : public ClientWay::Owner, public std::enable_shared_from_this<UdpEntrance>, Swept {
  public:
    // Of one mapping.
    static constexpr std::uint32_t most_flows = 10'000;
    // A flow that was silent for so long makes room for a new one when there are too many; one that was never
    // answered sooner, and before the others.
    static constexpr Seconds may_make_room{5};
    static constexpr Seconds unanswered_may_make_room{1};

    // `route` gives the route in force; asked for each new flow.
    using RouteSource = std::function<std::shared_ptr<const Route>()>;
    UdpEntrance(UdpWorker& worker, std::vector<net::UniqueFd> sockets, RouteSource route,
                std::uint32_t port_offset);
    UdpEntrance(const UdpEntrance&) = delete;
    UdpEntrance& operator=(const UdpEntrance&) = delete;
    ~UdpEntrance();

    // Watches the sockets.
    void start();
    // All flows end.
    void close();

  private:
    struct Socket final : net::EventSet::Handler {
        Socket(UdpEntrance& of, std::size_t is, net::UniqueFd owns, bool cuts)
            : entrance(of), index(is), fd(std::move(owns)), sender(cuts) {}
        void on_events(std::uint32_t events) override { entrance.on_events(*this, events); }
        UdpEntrance& entrance;
        std::size_t index;
        net::UniqueFd fd;
        net::DatagramSender sender;
        bool watched = false;
    };
    void on_events(Socket& socket, std::uint32_t events);
    void take(Socket& socket, const net::ReceivedDatagram& datagram, TimePoint now);
    // The datagram after a PROXY header; valid until the next one.
    BytesView with_proxy_header(const Socket& socket, Flow& flow, const net::ReceivedDatagram& datagram);
    Flow* admit(Socket& socket, const net::ReceivedDatagram& datagram, TimePoint now);
    ClientWay& way_of(const std::shared_ptr<const Route>& route, TimePoint now);
    void end(Flow& flow, std::string_view reason);
    bool make_room(TimePoint now);
    void flush_ways();

    // ClientWay::Owner
    void on_frame(const wire::DatagramFrame& frame) override;
    void on_batch_end() override;
    // Swept
    void sweep(TimePoint now) override;

    UdpWorker& worker_;
    RouteSource route_;
    const std::uint32_t port_offset_;
    std::vector<std::unique_ptr<Socket>> sockets_;
    FlowTable flows_;
    std::vector<std::shared_ptr<ClientWay>> ways_;  // the newest last
    std::shared_ptr<const Route> latest_;           // at the last new flow or sweep
    TimePoint batch_time_{};
    Bytes proxied_;
    bool closed_ = false;
};

}  // namespace tunnel::server
