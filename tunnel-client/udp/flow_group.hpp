#pragma once
// The flows of one public port at one of the server's workers: each has a socket of its own to the service,
// so that the service tells visitors apart. Their datagrams come and go by data connections and by packets,
// as the server chooses for one direction and we do for the other.
//
// One worker's thread. Owner: ClientUdpWorker, which lets it go by retire().

#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "common/net/datagram/carrier.hpp"
#include "common/net/datagram/packet_link.hpp"
#include "common/net/datagram/sender.hpp"
#include "tunnel-client/services/service_rules.hpp"
#include "tunnel-client/udp/datagram_grant.hpp"

namespace tunnel::client {

class ClientUdpWorker;

class FlowGroup final : public net::Carrier::Owner {
  public:
    static constexpr std::size_t most_flows = 10'000;

    FlowGroup(ClientUdpWorker& worker, const wire::StreamOpen& open, const net::udp::endpoint& service);
    FlowGroup(const FlowGroup&) = delete;
    FlowGroup& operator=(const FlowGroup&) = delete;
    ~FlowGroup();

    // Another data connection for this group; the packets it offers take the place of those before.
    void add(DatagramGrant grant);
    // Whether the rules still name this service for the mapping.
    bool still_permitted(const ServiceRules& rules) const;
    // Often: what packets want.
    void tick(TimePoint now);
    // About once a second: flows that were silent for too long end.
    void sweep(TimePoint now);
    bool busy(TimePoint now) const { return link_ && link_->busy(now); }
    // Nothing is left of it.
    bool finished() const { return carriers_.empty() && flows_.empty(); }

    // Closes everything, and destroys it once no event of this turn can reach it.
    static void retire(asio::io_context& context, std::unique_ptr<FlowGroup> group);

  private:
    struct Flow final : net::EventSet::Handler {
        Flow(FlowGroup& of, std::uint32_t is) : group(of), id(is) {}
        void on_events(std::uint32_t events) override { group.on_service(*this, events); }
        FlowGroup& group;
        std::uint32_t id;
        net::UniqueFd fd;
        TimePoint last{};
        TimePoint told_unreachable{};
    };
    struct PacketSocket final : net::EventSet::Handler {
        explicit PacketSocket(FlowGroup& of, bool cuts) : group(of), sender(cuts) {}
        void on_events(std::uint32_t events) override { group.on_packets(*this, events); }
        FlowGroup& group;
        net::UniqueFd fd;
        net::DatagramSender sender;
    };
    struct Flusher final : net::EventSet::Handler {
        explicit Flusher(FlowGroup& of) : group(of) {}
        void on_events(std::uint32_t) override { group.flush(); }
        FlowGroup& group;
    };

    // From the server.
    void on_frame(const wire::DatagramFrame& frame) override;
    void on_batch_end() override;
    void on_carrier_closed(net::Carrier& carrier, const Error& reason) override;
    void on_packets(PacketSocket& socket, std::uint32_t events);
    Flow* open_flow(std::uint32_t id);
    void close_flow(std::unordered_map<std::uint32_t, std::unique_ptr<Flow>>::iterator at);
    // To the service.
    void flush_service();
    // From the service.
    void on_service(Flow& flow, std::uint32_t events);
    // To the server.
    void put(const wire::DatagramFrame& frame);
    void tell_closed(std::uint32_t flow, wire::ClosedReason reason);
    void tell_unreachable(Flow& flow);
    void flush_soon();
    void flush();
    void send_packets();
    void take_stream_only(const std::string& way);
    void open_packet_socket(TimePoint now);
    void close_packet_socket();
    void close();

    ClientUdpWorker& worker_;
    const std::string mapping_;
    const std::string service_of_server_;
    const std::uint32_t port_offset_;
    const net::udp::endpoint service_;
    Millis flow_timeout_;
    std::unordered_map<std::uint32_t, std::unique_ptr<Flow>> flows_;
    std::vector<std::unique_ptr<net::Carrier>> carriers_;
    Flow* sending_ = nullptr;  // whose datagrams the worker's sender holds
    TimePoint batch_time_{};

    net::udp::endpoint server_;
    std::uint32_t path_ = 0;
    std::unique_ptr<net::PacketLink> link_;
    std::unique_ptr<PacketSocket> packets_;
    TimePoint packets_opened_{};
    bool packets_failed_ = false;
    bool was_usable_ = false;
    bool stream_only_ = false;

    Flusher flusher_{*this};
    bool flushing_soon_ = false;
    std::uint64_t dropped_ = 0;
    bool closed_ = false;
};

}  // namespace tunnel::client
