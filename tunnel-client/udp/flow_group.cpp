#include "tunnel-client/udp/flow_group.hpp"

#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>

#include "common/net/socket.hpp"
#include "tunnel-client/udp/client_udp_worker.hpp"

namespace tunnel::client {

namespace {

using wire::ClosedReason;
using wire::FrameKind;

constexpr int batches_of_a_turn = 4;
constexpr int service_buffer = 1024 * 1024;
constexpr int packet_buffer = 8 * 1024 * 1024;
// The server forgets a flow first, so that it does not send to one that is gone here.
constexpr Seconds longer_than_server{5};
// A socket to the server that brought no answer for so long is opened anew: the network may be another one.
constexpr Seconds new_socket_after{8};
constexpr Seconds tell_unreachable_every{1};

}  // namespace

FlowGroup::FlowGroup(ClientUdpWorker& worker, const wire::StreamOpen& open, const net::udp::endpoint& service)
    : worker_(worker),
      mapping_(open.mapping),
      service_of_server_(open.service),
      port_offset_(open.port_offset),
      service_(service),
      flow_timeout_(open.datagrams->flow_timeout) {}

FlowGroup::~FlowGroup() {
    close();
}

void FlowGroup::retire(asio::io_context& context, std::unique_ptr<FlowGroup> group) {
    if (!group) return;
    group->close();
    asio::post(context, [gone = std::move(group)] {});
}

void FlowGroup::close() {
    if (std::exchange(closed_, true)) return;
    for (auto& carrier : carriers_) {
        carrier->flush();
        net::Carrier::retire(worker_.context(), std::move(carrier));
    }
    carriers_.clear();
    while (!flows_.empty()) close_flow(flows_.begin());
    close_packet_socket();
}

void FlowGroup::add(DatagramGrant grant) {
    flow_timeout_ = grant.open.datagrams->flow_timeout;
    std::optional<net::RecordLayers> records;
    if (grant.open.encrypt)
        records =
            net::RecordLayers{tls::RecordSealer(worker_.ciphers(), grant.keys.frames.to_server),
                              tls::RecordOpener(worker_.ciphers(), grant.keys.frames.to_client), nullptr};
    auto carrier = std::make_unique<net::Carrier>(worker_.events(), worker_.carrier_buffers(),
                                                  std::move(grant.fd), std::move(records), nullptr, *this);
    if (carrier->start(std::move(grant.begun)) != 0) return;
    carriers_.push_back(std::move(carrier));
    if (grant.open.datagrams->path == 0) return;
    if (!grant.server) return take_stream_only(grant.way);
    stream_only_ = false;
    path_ = grant.open.datagrams->path;
    server_ = *grant.server;
    const auto now = Clock::now();
    link_ = std::make_unique<net::PacketLink>(
        worker_.ciphers(), net::PacketLink::Keys{grant.keys.packets.to_server, grant.keys.packets.to_client},
        path_, net::PacketLink::Role::knocks, now);
    was_usable_ = false;
    open_packet_socket(now);
}

// No answer to what the server offers: it never hears of packets, and takes the stream, too.
void FlowGroup::take_stream_only(const std::string& way) {
    link_.reset();
    close_packet_socket();
    if (std::exchange(stream_only_, true)) return;
    worker_.log().info("datagrams go by stream",
                       {{"mapping", mapping_},
                        {"reason", fmt::format("the way to the server is {}, where only TCP passes", way)}});
}

bool FlowGroup::still_permitted(const ServiceRules& rules) const {
    const auto service = rules.service_for(mapping_, service_of_server_, port_offset_);
    return service && !service->is_unix() && service->address.port == service_.port() &&
           rules.allows(*service, net::to_ip(service_.address()));
}

void FlowGroup::on_carrier_closed(net::Carrier& carrier, const Error& reason) {
    worker_.log().debug("data connection of datagrams ended",
                        {{"mapping", mapping_}, {"reason", reason.message}});
    const auto found = std::find_if(carriers_.begin(), carriers_.end(),
                                    [&](const auto& one) { return one.get() == &carrier; });
    if (found == carriers_.end()) return;
    auto gone = std::move(*found);
    carriers_.erase(found);
    net::Carrier::retire(worker_.context(), std::move(gone));
}

void FlowGroup::on_frame(const wire::DatagramFrame& frame) {
    auto found = flows_.find(frame.flow);
    if (frame.kind == FrameKind::closed) {
        if (found != flows_.end()) close_flow(found);
        return;
    }
    auto* flow = found != flows_.end() ? found->second.get() : nullptr;
    auto bytes = frame.payload;
    if (frame.kind == FrameKind::first) {
        bytes = bytes.subspan(wire::visitor_address_size);
        if (flow == nullptr) flow = open_flow(frame.flow);
        if (flow == nullptr) return;
    }
    if (flow == nullptr) return tell_closed(frame.flow, ClosedReason::unknown);
    if (batch_time_ == TimePoint{}) batch_time_ = Clock::now();
    flow->last = batch_time_;
    if (sending_ != flow) flush_service();
    sending_ = flow;
    worker_.sender().add(bytes, nullptr, nullptr);
}

void FlowGroup::on_batch_end() {
    flush_service();
    batch_time_ = {};
}

FlowGroup::Flow* FlowGroup::open_flow(std::uint32_t id) {
    if (flows_.size() >= most_flows) {
        tell_closed(id, ClosedReason::limit);
        return nullptr;
    }
    auto flow = std::make_unique<Flow>(*this, id);
    auto socket = net::connect_udp(service_);
    if (socket) {
        flow->fd = std::move(*socket);
        (void)::setsockopt(flow->fd.get(), SOL_SOCKET, SO_RCVBUF, &service_buffer, sizeof service_buffer);
    }
    if (!socket || worker_.events().add(flow->fd.get(), *flow) != 0) {
        worker_.log().warn("flow refused",
                           {{"mapping", mapping_},
                            {"reason", socket ? "its socket cannot be watched" : socket.error().message}});
        tell_closed(id, ClosedReason::limit);
        return nullptr;
    }
    return flows_.emplace(id, std::move(flow)).first->second.get();
}

void FlowGroup::close_flow(std::unordered_map<std::uint32_t, std::unique_ptr<Flow>>::iterator at) {
    auto flow = std::move(at->second);
    flows_.erase(at);
    if (sending_ == flow.get()) flush_service();
    worker_.events().remove(flow->fd.get());
    flow->fd.reset();
    // Events of this turn may still reach it.
    asio::post(worker_.context(), [gone = std::move(flow)] {});
}

void FlowGroup::flush_service() {
    auto* const flow = std::exchange(sending_, nullptr);
    if (flow == nullptr || worker_.sender().empty()) return;
    const auto outcome = worker_.sender().flush(flow->fd.get());
    if (outcome.error == ECONNREFUSED) tell_unreachable(*flow);
    dropped_ += outcome.dropped;
}

void FlowGroup::on_service(Flow& flow, std::uint32_t events) {
    if (!flow.fd || (events & (EPOLLIN | EPOLLERR)) == 0) return;
    for (int i = 0; i < batches_of_a_turn; ++i) {
        const auto batch = worker_.receiver().receive(flow.fd.get());
        if (batch.error == ECONNREFUSED) {
            tell_unreachable(flow);
            continue;
        }
        if (!batch.datagrams.empty()) flow.last = Clock::now();
        for (const auto& datagram : batch.datagrams) {
            // IPv6 alone carries a few bytes more.
            if (datagram.bytes.size() <= wire::max_datagram)
                put({FrameKind::datagram, flow.id, datagram.bytes});
        }
        if (batch.emptied) return;
    }
    worker_.events().again(flow);
}

void FlowGroup::tell_unreachable(Flow& flow) {
    const auto now = Clock::now();
    if (now - flow.told_unreachable < tell_unreachable_every) return;
    flow.told_unreachable = now;
    tell_closed(flow.id, ClosedReason::unreachable);
}

void FlowGroup::tell_closed(std::uint32_t flow, ClosedReason reason) {
    const std::array<Byte, 1> payload{static_cast<Byte>(reason)};
    put({FrameKind::closed, flow, payload});
}

void FlowGroup::put(const wire::DatagramFrame& frame) {
    bool taken = false;
    if (link_ && packets_ && link_->usable())
        taken = link_->queue(frame);
    else if (!carriers_.empty())
        taken = carriers_[frame.flow % carriers_.size()]->queue(frame);
    if (!taken) ++dropped_;
    flush_soon();
}

// What all sockets of this turn brought leaves together.
void FlowGroup::flush_soon() {
    if (std::exchange(flushing_soon_, true)) return;
    worker_.events().again(flusher_);
}

void FlowGroup::flush() {
    flushing_soon_ = false;
    if (closed_) return;
    // A carrier that breaks meanwhile leaves the list.
    for (std::size_t i = carriers_.size(); i > 0; --i) {
        if (i <= carriers_.size()) carriers_[i - 1]->flush();
    }
    send_packets();
}

void FlowGroup::open_packet_socket(TimePoint now) {
    close_packet_socket();
    packets_opened_ = now;
    packets_failed_ = false;
    auto fd = net::connect_udp(server_);
    if (!fd) return;
    net::set_udp_buffers(fd->get(), packet_buffer);
    net::set_path_probing(fd->get());
    net::set_receive_bursts(fd->get());
    packets_ = std::make_unique<PacketSocket>(*this, worker_.kernel_cuts());
    packets_->fd = std::move(*fd);
    if (worker_.events().add(packets_->fd.get(), *packets_) != 0) packets_.reset();
}

void FlowGroup::close_packet_socket() {
    if (!packets_) return;
    worker_.events().remove(packets_->fd.get());
    packets_->fd.reset();
    asio::post(worker_.context(), [gone = std::move(packets_)] {});
}

void FlowGroup::send_packets() {
    if (!link_) return;
    auto& batch = link_->seal();
    if (packets_) {
        BytesView rest(batch.bytes);
        for (const auto size : batch.sizes) {
            packets_->sender.add(rest.first(size), nullptr, nullptr, net::DatagramSender::Bursts::any);
            rest = rest.subspan(size);
        }
        const auto outcome = packets_->sender.flush(packets_->fd.get());
        if (outcome.too_big != 0) link_->too_big(outcome.too_big);
        if (outcome.dropped > 0 && outcome.too_big == 0) packets_failed_ = true;
    }
    batch.clear();
}

void FlowGroup::on_packets(PacketSocket& socket, std::uint32_t events) {
    if (!socket.fd || !link_ || (events & (EPOLLIN | EPOLLERR)) == 0) return;
    for (int i = 0; i < batches_of_a_turn; ++i) {
        const auto batch = worker_.receiver().receive(socket.fd.get());
        const auto now = Clock::now();
        for (const auto& datagram : batch.datagrams) {
            if (tls::packet_path(datagram.bytes) == path_) (void)link_->receive(datagram.bytes, *this, now);
        }
        on_batch_end();
        link_->release();
        send_packets();
        if (batch.emptied) return;
    }
    worker_.events().again(socket);
}

void FlowGroup::tick(TimePoint now) {
    if (!link_) return;
    link_->tick(now);
    if (link_->usable() != was_usable_) {
        was_usable_ = link_->usable();
        worker_.log().info(was_usable_ ? "datagrams go by packets" : "datagrams go by stream",
                           {{"mapping", mapping_}, {"server", net::to_text(server_)}});
    }
    if (!link_->usable() && (packets_failed_ || now - packets_opened_ >= new_socket_after))
        open_packet_socket(now);
    send_packets();
}

void FlowGroup::sweep(TimePoint now) {
    for (auto at = flows_.begin(); at != flows_.end();) {
        const auto flow = at++;
        if (now - flow->second->last >= flow_timeout_ + longer_than_server) close_flow(flow);
    }
}

}  // namespace tunnel::client
