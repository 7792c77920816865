#include "tunnel-server/udp/udp_entrance.hpp"

#include <sys/epoll.h>

#include <algorithm>

#include "common/net/socket.hpp"
#include "common/wire/proxy_protocol.hpp"
#include "tunnel-server/mappings/mapping.hpp"
#include "tunnel-server/streams/assignment.hpp"

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

// Whether the member that a flow is with cannot serve it any more. One whose client is away serves for as
// long as there is a way to it, as it does without a group.
bool is_lost(const ClientWay& way, TimePoint now) {
    const auto& member = way.route().member;
    if (!member) return false;
    const auto state = member->state_for_its_own(now);
    return state == MemberState::away ? !way.is_open() : state != MemberState::up;
}

// The shortest of a group's, so that no client forgets a flow before the server does.
Millis flow_timeout_of(const RouteSet& set) {
    auto shortest = set.first()->options.datagrams.flow_timeout;
    for (const auto& route : set.routes())
        shortest = std::min(shortest, route->options.datagrams.flow_timeout);
    return shortest;
}

// Anybody can send from addresses that are not theirs: what nobody answered is no line of its own.
auto write_of(const Flow& flow) {
    return flow.answered ? &Log::info : &Log::debug;
}

}  // namespace

UdpEntrance::UdpEntrance(UdpWorker& worker, std::vector<net::UniqueFd> sockets,
                         std::shared_ptr<RouteCell> routes, std::uint32_t port_offset)
    : worker_(worker), routes_(std::move(routes)), port_offset_(port_offset) {
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
    if (flow == nullptr)
        flow = admit(socket, datagram, now);
    else if (is_lost(*flow->way, now))
        flow = move_to_member_that_is_up(*flow, now);
    if (flow == nullptr) return;
    if (flow->local != datagram.to) flow->proxy_header.clear();
    flow->local = datagram.to;
    flows_.touch(*flow, now);
    const auto& route = flow->way->route();
    auto& counters = route.counters->datagrams;
    ++flow->datagrams_in;
    flow->bytes_in += datagram.bytes.size();
    const auto& latest = *flow->way->latest;
    if (!passes(latest.bandwidths, latest.client_bandwidths, &Bandwidths::in, now, datagram.bytes.size()))
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
    const auto route = routes_->get();
    auto admitted = server::admit(route, net::to_ip(datagram.from->address()));
    if (!admitted) {
        route->counters->refusals.add(admitted.error());
        route->counters->refused_total += 1;
        return nullptr;
    }
    auto& counters = admitted->route->counters->datagrams;
    if (!counters.take_place(most_flows) && !(make_room(now) && counters.take_place(most_flows))) {
        counters.drop(DatagramDrop::flows);
        return nullptr;
    }
    auto& flow = flows_.add(socket.index, *datagram.from, now);
    flow.place = std::move(admitted->place);
    join(flow, way_of(admitted->route, now));
    counters.flows_total += 1;
    return &flow;
}

// Where there is none it stays: what failed may have healed.
Flow* UdpEntrance::move_to_member_that_is_up(Flow& flow, TimePoint now) {
    const auto& left = flow.way->route();
    auto next = admit_elsewhere(*routes_->set(), left, flow.place, net::to_ip(flow.visitor.address()));
    if (!next) return &flow;
    if (next->route->counters != left.counters) {
        auto& counters = next->route->counters->datagrams;
        if (!counters.take_place(most_flows)) {
            counters.drop(DatagramDrop::flows);
            end(flow, "moved to where there are too many");
            return nullptr;
        }
        left.counters->datagrams.flows -= 1;
    }
    (worker_.log().*write_of(flow))("flow moved", {{"mapping", left.mapping.name},
                                                   {"client", left.mapping.client},
                                                   {"visitor", net::to_text(flow.visitor)},
                                                   {"service", left.service},
                                                   {"reason", left.member->reason(now)}});
    leave(flow);
    flow.place = std::move(next->place);
    join(flow, way_of(next->route, now));
    return &flow;
}

void UdpEntrance::join(Flow& flow, ClientWay& way) {
    flow.way = &way;
    flow.told = 0;
    ++way.flows;
    if (const auto& member = way.route().member) member->visitor_came();
}

void UdpEntrance::leave(Flow& flow) {
    auto& way = *flow.way;
    if (const auto& member = way.route().member) member->visitor_went();
    if (--way.flows == 0) way.empty_since = Clock::now();
    way.forget(flow);
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
    const auto known = std::find_if(ways_.rbegin(), ways_.rend(),
                                    [&](const auto& way) { return &way->route() == route.get(); });
    if (known != ways_.rend()) return **known;
    ways_.push_back(std::make_shared<ClientWay>(worker_, route, port_offset_, *this));
    ways_.back()->empty_since = now;
    ways_.back()->latest = route;
    return *ways_.back();
}

void UdpEntrance::end(Flow& flow, std::string_view reason) {
    const auto& route = flow.way->route();
    route.counters->datagrams.flows -= 1;
    leave(flow);
    const auto duration = std::chrono::duration_cast<Millis>(flow.last - flow.begun);
    (worker_.log().*write_of(flow))("flow closed", {{"mapping", route.mapping.name},
                                                    {"client", route.mapping.client},
                                                    {"visitor", net::to_text(flow.visitor)},
                                                    {"service", route.service},
                                                    {"datagrams_in", flow.datagrams_in},
                                                    {"datagrams_out", flow.datagrams_out},
                                                    {"bytes_in", flow.bytes_in},
                                                    {"bytes_out", flow.bytes_out},
                                                    {"duration_ms", duration.count()},
                                                    {"reason", reason}});
    flows_.remove(flow);
}

void UdpEntrance::end_all_of(ClientWay& way, std::string_view reason) {
    if (way.flows == 0) return;
    for (auto* const flow : flows_.of(way)) end(*flow, reason);
}

void UdpEntrance::flush_ways() {
    for (const auto& way : ways_) way->flush();
}

// Its port is closed, says the client's host.
void UdpEntrance::note_unreachable(const Route& route) {
    route.counters->datagrams.drop(DatagramDrop::unreachable);
    if (!route.member) return;
    const auto reason =
        fmt::format("the service {} does not answer (its port is closed): is it running?", route.service);
    if (route.member->note_failure(Clock::now(), reason)) worker_.note_failure(route.mapping, reason);
}

void UdpEntrance::on_frame(ClientWay& way, const wire::DatagramFrame& frame) {
    auto* const flow = flows_.find(frame.flow);
    // What a member says late of a flow that has left it concerns nobody.
    if (flow == nullptr || flow->way != &way) return;
    const auto& route = way.route();
    auto& counters = route.counters->datagrams;
    if (frame.kind == wire::FrameKind::closed) {
        const auto reason = static_cast<wire::ClosedReason>(frame.payload[0]);
        if (reason == wire::ClosedReason::unreachable) return note_unreachable(route);
        // The client does not have it: the next datagram tells it of the flow again.
        flow->told = 0;
        return counters.drop(DatagramDrop::client);
    }
    if (frame.kind != wire::FrameKind::datagram) return;
    if (batch_time_ == TimePoint{}) batch_time_ = Clock::now();
    flows_.touch(*flow, batch_time_);
    flows_.note_answer(*flow);
    if (route.member) route.member->note_success();
    if (!passes(way.latest->bandwidths, way.latest->client_bandwidths, &Bandwidths::out, batch_time_,
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

// Follows what has changed of the mapping that the way belongs to.
void UdpEntrance::renew(ClientWay& way, const RouteSet& set) {
    const auto& routes = set.routes();
    const auto found = std::find_if(routes.begin(), routes.end(), [&](const auto& route) {
        return route->counters == way.route().counters;
    });
    // It does not take part any more: it is paused, gone, or in another group.
    if (found == routes.end()) return end_all_of(way, "closed");
    way.latest = *found;
    if (is_closed(**found)) end_all_of(way, "quota");
}

void UdpEntrance::sweep(TimePoint now) {
    const auto set = routes_->set();
    for (const auto& way : ways_) renew(*way, *set);
    const auto timeout = flow_timeout_of(*set);
    for (const bool answered : {false, true}) {
        for (auto* flow = flows_.least_recent(answered); flow != nullptr && now - flow->last >= timeout;
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
