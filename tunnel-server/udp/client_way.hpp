#pragma once
// The way of datagrams from one public port at one worker to the client that serves it: packets while those
// pass and the mapping's transport permits them, data connections otherwise. It is opened when there are
// datagrams for it, and goes when it has had no flows for a while.
//
// That worker's thread. Owner: the UdpEntrance.

#include <algorithm>
#include <array>
#include <functional>
#include <memory>
#include <optional>

#include "common/net/datagram/carrier.hpp"
#include "common/net/datagram/packet_link.hpp"
#include "common/net/datagram/sender.hpp"
#include "tunnel-server/mappings/route.hpp"
#include "tunnel-server/pool/ready_pool.hpp"
#include "tunnel-server/udp/flow_table.hpp"
#include "tunnel-server/udp/udp_worker.hpp"

namespace tunnel::server {

class ClientWay final : public net::Carrier::Owner,
                        public PacketPath,
                        public std::enable_shared_from_this<ClientWay> {
  public:
    // Who has the flows.
    class Owner {
      public:
        // A frame of the client's, that came this way.
        virtual void on_frame(ClientWay& way, const wire::DatagramFrame& frame) = 0;
        // After the frames that came together.
        virtual void on_batch_end() = 0;

      protected:
        ~Owner() = default;
    };
    // `port_offset`: the port's place in the mapping's range.
    ClientWay(UdpWorker& worker, std::shared_ptr<const Route> route, std::uint32_t port_offset, Owner& owner);
    ~ClientWay();

    const Route& route() const { return *route_; }
    // A datagram of one of its flows.
    void send(Flow& flow, BytesView bytes, TimePoint now);
    // The client need not keep this flow.
    void forget(const Flow& flow);
    // What was sent leaves.
    void flush();
    // Retries, and what its packets want. Often.
    void tick(TimePoint now) override;
    bool busy(TimePoint now) const override;
    void close();
    // Whether the client holds a data connection of it.
    bool is_open() const {
        return std::any_of(lanes_.begin(), lanes_.end(),
                           [](const Lane& lane) { return lane.carrier != nullptr; });
    }

    // Kept by the owner.
    std::shared_ptr<const Route> latest{};  // the mapping's in force: its gates and bandwidths
    std::size_t flows = 0;
    TimePoint empty_since{};

    // PacketPath
    void on_packet(MutableBytes packet, const PacketPeer& from, TimePoint now) override;
    void on_packets_end() override;

    // net::Carrier::Owner
    void on_frame(const wire::DatagramFrame& frame) override { owner_.on_frame(*this, frame); }
    void on_batch_end() override { owner_.on_batch_end(); }
    void on_carrier_closed(net::Carrier& carrier, const Error& reason) override;

  private:
    // Flows are spread over so many data connections, so that a lost segment holds up only a part of them.
    static constexpr std::size_t lanes = 2;
    struct Lane {
        std::unique_ptr<net::Carrier> carrier;
        bool asked = false;
        TimePoint not_before{};
    };
    bool packets_wanted() const { return route_->options.datagrams.transport != DatagramTransport::stream; }
    bool stream_permitted() const {
        return route_->options.datagrams.transport != DatagramTransport::datagram;
    }
    void put(const wire::DatagramFrame& frame, TimePoint now);
    net::Carrier* carrier_for(std::uint32_t flow, TimePoint now);
    void want(std::size_t lane, TimePoint now);
    void on_connection(std::size_t lane, std::optional<ReadyConnection> connection);
    Status open(std::size_t lane, ReadyConnection connection);
    void offer_packets(const tls::StreamKeys& keys);
    Status send_head(int fd, const wire::Nonce& nonce, const tls::DirectionKeys& key, std::uint32_t path);
    void failed(std::size_t lane, const std::string& reason);
    void release_held();
    void drop_held();
    void drop_packets();
    void send_packets();
    void note_transport();

    UdpWorker& worker_;
    std::shared_ptr<const Route> route_;
    const std::uint32_t port_offset_;
    Owner& owner_;
    const std::uint64_t group_;
    std::uint64_t incarnation_ = 1;  // of the client's end
    SessionId session_;
    std::array<Lane, lanes> lanes_;
    Bytes held_;  // frames that wait for a way
    Bytes telling_;

    std::uint32_t path_ = 0;
    std::unique_ptr<net::PacketLink> link_;
    std::optional<PacketPeer> peer_;
    bool packets_heard_ = false;  // since on_packets_end()
    bool by_packets_ = false;
    bool told_of_stream_ = false;
    TimePoint offered_{};
    bool closed_ = false;
};

}  // namespace tunnel::server
