#include "tunnel-server/udp/udp_entrance.hpp"

#include <sys/epoll.h>

#include <algorithm>

#include "common/net/socket.hpp"
#include "common/wire/proxy_protocol.hpp"
#include "tunnel-server/mappings/mapping.hpp"

namespace tunnel::server {

namespace {

constexpr int batches_of_a_turn = 8;
// A way without flows is kept open for so long.
constexpr Seconds way_kept{30};

// What is too much is dropped: a datagram that waits is worth less than one that is lost.
bool passes(const Bandwidths& own, const Bandwidths& clients,
            std::shared_ptr<net::Bandwidth> Bandwidths::*way, TimePoint now, std::size_t bytes) {
    return (!(own.*way) || (own.*way)->pass(now, bytes)) &&
           (!(clients.*way) || (clients.*way)->pass(now, bytes));
}

bool is_closed(const Route& route) {
    return std::any_of(route.gates.begin(), route.gates.end(),
                       [](const Gate& gate) { return gate.rules && gate.rules->closed; });
}

}  // namespace

UdpEntrance::UdpEntrance(UdpWorker& worker, std::vector<net::UniqueFd> sockets, RouteSource route,
                         std::uint32_t port_offset)
    : worker_(worker), route_(std::move(route)), port_offset_(port_offset) {
    for (auto& fd : sockets)
        sockets_.push_back(
            std::make_unique<Socket>(*this, sockets_.size(), std::move(fd), worker.kernel_cuts()));
}

UdpEntrance::~UdpEntrance() {
    close();
}

void UdpEntrance::start() {
    worker_.add(*this);
    worker_.wake_up();
    for (auto& socket : sockets_) {
        const int error = worker_.events().add(socket->fd.get(), *socket);
        socket->watched = error == 0;
        if (error != 0)
            worker_.log().error("a public port cannot be watched",
                                {{"reason", std::generic_category().message(error)}});
    }
}

void UdpEntrance::close() {
    if (std::exchange(closed_, true)) return;
    worker_.remove(*this);
    while (auto* const flow = flows_.any()) end(*flow, "closed");
    for (auto& way : ways_) {
        way->flush();
        way->close();
    }
    for (auto& socket : sockets_) {
        if (socket->watched) worker_.events().remove(socket->fd.get());
        socket->fd.reset();
    }
    // Events of this turn may still reach them, and through them this.
    asio::post(worker_.context(), [self = weak_from_this().lock(), sockets = std::exchange(sockets_, {}),
                                   ways = std::exchange(ways_, {})] {});
}

void UdpEntrance::on_events(Socket& socket, std::uint32_t events) {
    if (closed_ || (events & (EPOLLIN | EPOLLERR)) == 0) return;
    for (int i = 0; i < batches_of_a_turn; ++i) {
        const auto batch = worker_.receiver().receive(socket.fd.get());
        const auto now = Clock::now();
        for (const auto& datagram : batch.datagrams) take(socket, datagram, now);
        flush_ways();
        if (batch.emptied || closed_) return;
    }
    worker_.events().again(socket);
}

void UdpEntrance::take(Socket& socket, const net::ReceivedDatagram& datagram, TimePoint now) {
    // IPv6 alone carries a few bytes more.
    if (datagram.bytes.size() > wire::max_datagram) return;
    auto* flow = flows_.find(socket.index, *datagram.from);
    if (flow == nullptr) flow = admit(socket, datagram, now);
    if (flow == nullptr) return;
    if (flow->local != datagram.to) flow->proxy_header.clear();
    flow->local = datagram.to;
    flows_.touch(*flow, now);
    const auto& route = flow->way->route();
    auto& counters = route.counters->datagrams;
    ++flow->datagrams_in;
    flow->bytes_in += datagram.bytes.size();
    if (!passes(latest_->bandwidths, latest_->client_bandwidths, &Bandwidths::in, now, datagram.bytes.size()))
        return counters.drop(DatagramDrop::bandwidth);
    counters.datagrams_in += 1;
    counters.bytes_in += datagram.bytes.size();
    if (!route.options.proxy_protocol) return flow->way->send(*flow, datagram.bytes, now);
    const auto proxied = with_proxy_header(socket, *flow, datagram);
    if (proxied.size() > wire::max_datagram) return counters.drop(DatagramDrop::size);
    flow->way->send(*flow, proxied, now);
}

// Each of them, because any may be lost.
BytesView UdpEntrance::with_proxy_header(const Socket& socket, Flow& flow,
                                         const net::ReceivedDatagram& datagram) {
    if (flow.proxy_header.empty()) {
        wire::ProxyHeader header;
        header.family = wire::ProxyFamily::ip;
        header.datagram = true;
        header.source = {net::to_ip(flow.visitor.address()), flow.visitor.port()};
        const auto local = net::udp_local_of(socket.fd.get());
        // A socket on one address does not tell which it was.
        const bool told = flow.local != IpAddress();
        header.destination = {told ? flow.local : net::to_ip(local.address()), local.port()};
        flow.proxy_header = wire::encode(header);
    }
    proxied_ = flow.proxy_header;
    append(proxied_, datagram.bytes);
    return proxied_;
}

Flow* UdpEntrance::admit(Socket& socket, const net::ReceivedDatagram& datagram, TimePoint now) {
    latest_ = route_();
    const auto& route = latest_;
    auto& counters = route->counters->datagrams;
    const auto address = net::to_ip(datagram.from->address());
    auto place = server::admit(route->gates, &address, now);
    if (!place) {
        route->counters->refusals.add(place.error());
        route->counters->refused_total += 1;
        return nullptr;
    }
    if (!counters.take_place(most_flows) && !(make_room(now) && counters.take_place(most_flows))) {
        counters.drop(DatagramDrop::flows);
        return nullptr;
    }
    auto& way = way_of(route, now);
    auto& flow = flows_.add(socket.index, *datagram.from, now);
    flow.way = &way;
    flow.place = std::move(*place);
    ++way.flows;
    counters.flows_total += 1;
    return &flow;
}

bool UdpEntrance::make_room(TimePoint now) {
    for (const bool answered : {false, true}) {
        auto* const oldest = flows_.least_recent(answered);
        if (oldest == nullptr || now - oldest->last < (answered ? may_make_room : unanswered_may_make_room))
            continue;
        end(*oldest, "made room");
        return true;
    }
    return false;
}

ClientWay& UdpEntrance::way_of(const std::shared_ptr<const Route>& route, TimePoint now) {
    // The route is another object when the mapping has changed: new flows go where it leads now.
    if (ways_.empty() || &ways_.back()->route() != route.get()) {
        ways_.push_back(std::make_shared<ClientWay>(worker_, route, port_offset_, *this));
        ways_.back()->empty_since = now;
    }
    return *ways_.back();
}

void UdpEntrance::end(Flow& flow, std::string_view reason) {
    auto& way = *flow.way;
    way.route().counters->datagrams.flows -= 1;
    if (--way.flows == 0) way.empty_since = Clock::now();
    way.forget(flow);
    const auto duration = std::chrono::duration_cast<Millis>(flow.last - flow.begun);
    // Anybody can send from addresses that are not theirs: what nobody answered is no line of its own.
    const auto write = flow.answered ? &Log::info : &Log::debug;
    (worker_.log().*write)("flow closed", {{"mapping", way.route().mapping.name},
                                           {"client", way.route().mapping.client},
                                           {"visitor", net::to_text(flow.visitor)},
                                           {"datagrams_in", flow.datagrams_in},
                                           {"datagrams_out", flow.datagrams_out},
                                           {"bytes_in", flow.bytes_in},
                                           {"bytes_out", flow.bytes_out},
                                           {"duration_ms", duration.count()},
                                           {"reason", reason}});
    flows_.remove(flow);
}

void UdpEntrance::flush_ways() {
    for (const auto& way : ways_) way->flush();
}

void UdpEntrance::on_frame(const wire::DatagramFrame& frame) {
    auto* const flow = flows_.find(frame.flow);
    if (flow == nullptr) return;
    auto& counters = flow->way->route().counters->datagrams;
    if (frame.kind == wire::FrameKind::closed) {
        const auto reason = static_cast<wire::ClosedReason>(frame.payload[0]);
        if (reason == wire::ClosedReason::unreachable) return counters.drop(DatagramDrop::unreachable);
        // The client does not have it: the next datagram tells it of the flow again.
        flow->told = 0;
        return counters.drop(DatagramDrop::client);
    }
    if (frame.kind != wire::FrameKind::datagram) return;
    if (batch_time_ == TimePoint{}) batch_time_ = Clock::now();
    flows_.touch(*flow, batch_time_);
    flows_.note_answer(*flow);
    if (!passes(latest_->bandwidths, latest_->client_bandwidths, &Bandwidths::out, batch_time_,
                frame.payload.size()))
        return counters.drop(DatagramDrop::bandwidth);
    ++flow->datagrams_out;
    flow->bytes_out += frame.payload.size();
    counters.datagrams_out += 1;
    counters.bytes_out += frame.payload.size();
    sockets_[flow->socket]->sender.add(frame.payload, &flow->visitor, &flow->local);
}

void UdpEntrance::on_batch_end() {
    batch_time_ = {};
    for (auto& socket : sockets_) {
        if (socket->sender.empty()) continue;
        const auto outcome = socket->sender.flush(socket->fd.get());
        if (outcome.dropped > 0 && !ways_.empty())
            ways_.back()->route().counters->datagrams.drop(DatagramDrop::visitor, outcome.dropped);
    }
}

void UdpEntrance::sweep(TimePoint now) {
    const auto route = latest_ = route_();
    while (is_closed(*route) && flows_.size() > 0) end(*flows_.any(), "quota");
    for (const bool answered : {false, true}) {
        for (auto* flow = flows_.least_recent(answered);
             flow != nullptr && now - flow->last >= route->options.datagrams.flow_timeout;
             flow = flows_.least_recent(answered))
            end(*flow, "idle");
    }
    flush_ways();
    for (const auto& way : ways_) {
        if (way->flows == 0 && now - way->empty_since >= way_kept) way->close();
    }
    std::erase_if(ways_,
                  [&](const auto& way) { return way->flows == 0 && now - way->empty_since >= way_kept; });
}

}  // namespace tunnel::server
