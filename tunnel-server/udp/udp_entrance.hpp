#pragma once
// One public UDP port at one worker: its sockets, the flows that come by them, and the ways that lead them to
// the client, or to the members of a group. A flow stays with the member that it began with, until that
// cannot serve it any more and another can. That worker's thread.

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

    // `routes` has those in force, of the mapping or of its group.
    UdpEntrance(UdpWorker& worker, std::vector<net::UniqueFd> sockets, std::shared_ptr<RouteCell> routes,
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
    // Null when the flow ended: it found no place where it was led to.
    Flow* move_to_member_that_is_up(Flow& flow, TimePoint now);
    void join(Flow& flow, ClientWay& way);
    void leave(Flow& flow);
    void end(Flow& flow, std::string_view reason);
    void end_all_of(ClientWay& way, std::string_view reason);
    void renew(ClientWay& way, const RouteSet& set);
    void note_unreachable(const Route& route);
    bool make_room(TimePoint now);
    void flush_ways();

    // ClientWay::Owner
    void on_frame(ClientWay& way, const wire::DatagramFrame& frame) override;
    void on_batch_end() override;
    // Swept
    void sweep(TimePoint now) override;

    UdpWorker& worker_;
    const std::shared_ptr<RouteCell> routes_;
    const std::uint32_t port_offset_;
    std::vector<std::unique_ptr<Socket>> sockets_;
    FlowTable flows_;
    std::vector<std::shared_ptr<ClientWay>> ways_;  // the newest last
    TimePoint batch_time_{};
    Bytes proxied_;
    bool closed_ = false;
};

}  // namespace tunnel::server
