#include "tunnel-server/udp/client_way.hpp"

#include <sys/socket.h>

#include <algorithm>

#include "common/core/secret.hpp"
#include "common/net/socket.hpp"
#include "common/wire/stream_head.hpp"
#include "tunnel-server/mappings/mapping.hpp"
#include "tunnel-server/pool/pairing.hpp"
#include "tunnel-server/udp/answer_head.hpp"
#include "tunnel-server/udp/carrier_request.hpp"

namespace tunnel::server {

namespace {

using wire::DatagramFrame;
using wire::FrameKind;

// Of frames that wait for the first data connection.
constexpr std::size_t most_held = 256 * 1024;
// After a data connection could not be had, or was refused or lost.
constexpr Millis retry_pause{500};
// Packets that were offered and did not come within this time do not pass.
constexpr Seconds patience_with_packets{5};
// Each datagram of a new flow names its visitor until the client has answered, at most so many.
constexpr int most_tellings = 4;

}  // namespace

ClientWay::ClientWay(UdpWorker& worker, std::shared_ptr<const Route> route, std::uint32_t port_offset,
                     Owner& owner)
    : worker_(worker),
      route_(std::move(route)),
      port_offset_(port_offset),
      owner_(owner),
      group_(random_u64()) {
    route_->counters->datagrams.ways += 1;
}

ClientWay::~ClientWay() {
    close();
}

void ClientWay::close() {
    if (std::exchange(closed_, true)) return;
    drop_packets();
    for (auto& lane : lanes_) net::Carrier::retire(worker_.context(), std::move(lane.carrier));
    route_->counters->datagrams.ways -= 1;
}

void ClientWay::send(Flow& flow, BytesView bytes, TimePoint now) {
    // Without a lane there is neither a key for packets nor a second way.
    if (!lanes_[0].carrier) want(0, now);
    if (flow.told == incarnation_ && (flow.tellings >= most_tellings || flow.datagrams_out > 0))
        return put({FrameKind::datagram, flow.id, bytes}, now);
    if (flow.told != incarnation_) flow.tellings = 0;
    flow.told = incarnation_;
    ++flow.tellings;
    const auto visitor =
        wire::encode(wire::VisitorAddress{net::to_ip(flow.visitor.address()), flow.visitor.port()});
    telling_.assign(visitor.begin(), visitor.end());
    append(telling_, bytes);
    put({FrameKind::first, flow.id, telling_}, now);
}

void ClientWay::forget(const Flow& flow) {
    const std::array<Byte, 1> reason{static_cast<Byte>(wire::ClosedReason::unknown)};
    const DatagramFrame frame{FrameKind::closed, flow.id, reason};
    if (link_ && link_->usable() && peer_)
        (void)link_->queue(frame);
    else if (auto& carrier = lanes_[flow.id % lanes].carrier; carrier)
        (void)carrier->queue(frame);
}

void ClientWay::put(const DatagramFrame& frame, TimePoint now) {
    auto& counters = route_->counters->datagrams;
    if (link_ && peer_ && link_->usable()) {
        if (!link_->queue(frame)) counters.drop(DatagramDrop::queue);
        return;
    }
    auto* const carrier = stream_permitted() ? carrier_for(frame.flow, now) : nullptr;
    if (carrier != nullptr) {
        if (!carrier->queue(frame)) counters.drop(DatagramDrop::queue);
        return;
    }
    // Is a way about to be there?
    const bool packets_may_come = link_ && !told_of_stream_;
    if (!lanes_[0].asked && !packets_may_come) return counters.drop(DatagramDrop::no_way);
    if (held_.size() + frame.payload.size() > most_held) return counters.drop(DatagramDrop::queue);
    wire::append_frame(held_, frame);
}

// Null when there is none yet.
net::Carrier* ClientWay::carrier_for(std::uint32_t flow, TimePoint now) {
    auto& own = lanes_[flow % lanes].carrier;
    if (own) return own.get();
    want(flow % lanes, now);
    return lanes_[0].carrier.get();
}

void ClientWay::want(std::size_t lane, TimePoint now) {
    auto& wanted = lanes_[lane];
    if (wanted.asked || wanted.carrier || now < wanted.not_before) return;
    wanted.asked = true;
    auto done = [weak = weak_from_this(), lane](std::optional<ReadyConnection> connection) {
        if (const auto self = weak.lock()) self->on_connection(lane, std::move(connection));
    };
    worker_.pairing().carrier(
        route_, std::make_shared<PostedCarrierRequest>(worker_.context().get_executor(), std::move(done)));
}

void ClientWay::on_connection(std::size_t lane, std::optional<ReadyConnection> connection) {
    if (closed_) return;
    lanes_[lane].asked = false;
    if (!connection) return failed(lane, "there is no data connection to the client");
    if (auto ok = open(lane, std::move(*connection)); !ok) return failed(lane, ok.error().message);
    release_held();
    flush();
}

void ClientWay::failed(std::size_t lane, const std::string& reason) {
    lanes_[lane].not_before = Clock::now() + retry_pause;
    worker_.log().debug(
        "data connection for datagrams failed",
        {{"mapping", route_->mapping.name}, {"client", route_->mapping.client}, {"reason", reason}});
    if (lane == 0) drop_held();
}

void ClientWay::drop_held() {
    BytesView frames(held_);
    for (auto frame = wire::take_frame(frames); frame && *frame; frame = wire::take_frame(frames))
        route_->counters->datagrams.drop(DatagramDrop::no_way);
    held_.clear();
}

// Opens the stream at the client. Frames follow at once; its answer comes before its own.
Status ClientWay::open(std::size_t lane, ReadyConnection connection) {
    if (session_ != connection.preface.session) {
        // It may be another process of the client, which knows none of the flows.
        session_ = connection.preface.session;
        ++incarnation_;
        drop_packets();
    }
    wire::Nonce nonce;
    fill_random(nonce);
    const auto& preface = connection.preface;
    const auto heads = tls::derive_stream_keys(connection.cipher, connection.ticket_key, preface.ticket,
                                               preface.nonce, nonce);
    const auto keys = tls::derive_carrier_keys(connection.ticket_key, preface.ticket, preface.nonce, nonce);
    const bool offers =
        lane == 0 && packets_wanted() && worker_.takes_packets() && !(link_ && link_->usable());
    if (offers) offer_packets(keys.packets);
    if (auto ok = send_head(connection.fd.get(), nonce, heads.to_client, offers ? path_ : 0); !ok) return ok;
    std::optional<net::RecordLayers> records;
    if (route_->options.encrypt)
        records = net::RecordLayers{tls::RecordSealer(worker_.ciphers(), keys.frames.to_client),
                                    tls::RecordOpener(worker_.ciphers(), keys.frames.to_server), nullptr};
    auto answer = std::make_unique<AnswerHead>(tls::RecordOpener(worker_.ciphers(), heads.to_server));
    auto carrier =
        std::make_unique<net::Carrier>(worker_.events(), worker_.carrier_buffers(), std::move(connection.fd),
                                       std::move(records), std::move(answer), *this);
    if (const int error = carrier->start(); error != 0) return fail_errno(error, "cannot watch a connection");
    lanes_[lane].carrier = std::move(carrier);
    return {};
}

void ClientWay::offer_packets(const tls::StreamKeys& keys) {
    drop_packets();
    offered_ = Clock::now();
    told_of_stream_ = false;
    path_ = worker_.add_path(*this);
    link_ = std::make_unique<net::PacketLink>(worker_.ciphers(),
                                              net::PacketLink::Keys{keys.to_client, keys.to_server}, path_,
                                              net::PacketLink::Role::answers, offered_);
}

Status ClientWay::send_head(int fd, const wire::Nonce& nonce, const tls::DirectionKeys& key,
                            std::uint32_t path) {
    wire::StreamOpen stream{worker_.pairing().new_connection_id(),
                            route_->mapping.name,
                            route_->service,
                            route_->options.encrypt,
                            "",
                            "",
                            port_offset_};
    stream.datagrams = wire::DatagramOpen{group_, route_->options.datagrams.flow_timeout, path};
    tls::RecordSealer sealer(worker_.ciphers(), key);
    const auto head = wire::encode(stream);
    Bytes opening(nonce.begin(), nonce.end());
    opening.resize(nonce.size() + head.size() + tls::record_overhead);
    const auto sealed =
        sealer.seal(tls::RecordType::application_data, head, MutableBytes(opening).subspan(nonce.size()));
    if (!sealed) return pass(sealed.error());
    opening.resize(nonce.size() + *sealed);
    // A fresh socket's buffer holds the head; one that does not is broken.
    if (::send(fd, opening.data(), opening.size(), MSG_NOSIGNAL | MSG_DONTWAIT) ==
        static_cast<ssize_t>(opening.size()))
        return {};
    return fail(Errc::closed, "the data connection broke before the stream was opened");
}

void ClientWay::release_held() {
    const auto now = Clock::now();
    const Bytes held = std::exchange(held_, {});
    BytesView frames(held);
    for (auto frame = wire::take_frame(frames); frame && *frame; frame = wire::take_frame(frames))
        put(**frame, now);
}

void ClientWay::on_carrier_closed(net::Carrier& carrier, const Error& reason) {
    for (std::size_t lane = 0; lane < lanes; ++lane) {
        if (lanes_[lane].carrier.get() != &carrier) continue;
        net::Carrier::retire(worker_.context(), std::move(lanes_[lane].carrier));
        if (reason.code == Errc::not_allowed) {
            worker_.log().warn("datagrams refused", {{"mapping", route_->mapping.name},
                                                     {"client", route_->mapping.client},
                                                     {"reason", reason.message}});
            worker_.note_failure(route_->mapping, reason.message);
            if (route_->member) (void)route_->member->note_failure(Clock::now(), reason.message);
            // Who refuses the stream does not take its packets.
            if (lane == 0) drop_packets();
        }
        failed(lane, reason.message);
    }
}

void ClientWay::flush() {
    for (auto& lane : lanes_) {
        if (lane.carrier) lane.carrier->flush();
    }
    send_packets();
}

void ClientWay::send_packets() {
    if (!link_) return;
    auto& batch = link_->seal();
    if (batch.empty()) return;
    if (peer_) {
        const auto too_big = worker_.send_packets(*peer_, batch);
        if (too_big != 0) link_->too_big(too_big);
    }
    batch.clear();
}

void ClientWay::on_packet(MutableBytes packet, const PacketPeer& from, TimePoint now) {
    const auto heard = link_->receive(packet, *this, now);
    if (heard == net::PacketLink::Heard::nothing) return worker_.note_bad_packet();
    packets_heard_ = true;
    // The client's NAT may have given it another address: the newest genuine packet tells.
    if (heard == net::PacketLink::Heard::something_newer && (!peer_ || !(*peer_ == from))) {
        if (peer_)
            worker_.log().info("client's packets come from another address",
                               {{"mapping", route_->mapping.name},
                                {"client", route_->mapping.client},
                                {"address", net::to_text(from.address)}});
        peer_ = from;
    }
}

void ClientWay::on_packets_end() {
    if (!link_ || !std::exchange(packets_heard_, false)) return;
    owner_.on_batch_end();
    link_->release();
    note_transport();
    send_packets();
}

bool ClientWay::busy(TimePoint now) const {
    return link_ && link_->busy(now);
}

void ClientWay::tick(TimePoint now) {
    if (!link_) return;
    link_->tick(now);
    note_transport();
    if (link_->used_up()) {
        // New keys come with a new data connection.
        drop_packets();
        net::Carrier::retire(worker_.context(), std::move(lanes_[0].carrier));
        return;
    }
    send_packets();
}

void ClientWay::drop_packets() {
    if (!link_) return;
    worker_.remove_path(path_);
    link_.reset();
    peer_.reset();
    path_ = 0;
    note_transport();
}

// Says which way datagrams go, whenever that changes, and when packets never came.
void ClientWay::note_transport() {
    const bool packets = link_ && peer_ && link_->usable();
    const bool changed = packets != by_packets_;
    const bool in_vain = link_ && !packets && Clock::now() - offered_ >= patience_with_packets;
    if (!changed && (!in_vain || told_of_stream_)) return;
    if (changed) route_->counters->datagrams.packet_ways += packets ? 1U : ~0U;
    by_packets_ = packets;
    if (closed_ || !link_) return;
    told_of_stream_ = !packets;
    if (packets)
        release_held();
    else if (!stream_permitted())
        drop_held();
    worker_.log().info(packets ? "datagrams go by packets" : "datagrams go by stream",
                       {{"mapping", route_->mapping.name},
                        {"client", route_->mapping.client},
                        {"reason", packets ? "the client's packets are answered"
                                           : "packets are not answered: does a firewall drop UDP to the "
                                             "tunnel port?"}});
}

}  // namespace tunnel::server
