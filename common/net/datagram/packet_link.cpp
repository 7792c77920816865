#include "common/net/datagram/packet_link.hpp"

#include <algorithm>

#include "common/core/secret.hpp"

namespace tunnel::net {

namespace {

using wire::FrameKind;

constexpr std::size_t header_size = wire::datagram_header_size;
// Datagrams within this time make a way busy.
constexpr Seconds in_use_for{2};
// Knocks at a way that does not answer: often at first, then rarely.
constexpr int quick_knocks = 10;
constexpr int steady_knocks = 20;
constexpr Millis quick_knock_every{200};
constexpr Millis steady_knock_every{1000};
constexpr Millis slow_knock_every{5000};
constexpr Millis least_between_pings{20};
// Nonces of pings that nobody answers.
constexpr std::size_t most_pings = 64;

}  // namespace

PacketLink::PacketLink(const tls::AeadFactory& factory, Keys keys, std::uint32_t path, Role role,
                       TimePoint now)
    : sealer_(factory, keys.seal, path),
      opener_(factory, keys.open),
      role_(role),
      next_nonce_(static_cast<std::uint32_t>(random_u64())),
      unanswered_since_(now),
      heard_at_(now) {}

// Where the packet that is being filled goes on; its size is its header's and its frames' so far.
MutableBytes PacketLink::extend(std::size_t size) {
    const auto at = out_.bytes.size();
    out_.bytes.resize(at + size);
    return MutableBytes(out_.bytes).subspan(at);
}

void PacketLink::begin_packet() {
    begun_at_ = out_.bytes.size();
    filling_ = true;
    (void)extend(tls::packet_header_size);
}

void PacketLink::end_packet() {
    filling_ = false;
    (void)extend(tls::aead_tag_size);
    const auto packet = MutableBytes(out_.bytes).subspan(begun_at_);
    if (sealer_.seal(packet))
        out_.sizes.push_back(static_cast<std::uint32_t>(packet.size()));
    else
        out_.bytes.resize(begun_at_);
}

// A packet with room for a frame of this size, header included. False when none is that large.
bool PacketLink::room_for(std::size_t frame_size) {
    const auto largest = mtu_.packet_size();
    if (frame_size + tls::packet_overhead > largest) return false;
    if (filling_ && out_.bytes.size() - begun_at_ + frame_size + tls::aead_tag_size > largest) end_packet();
    if (!filling_) begin_packet();
    return true;
}

void PacketLink::put(FrameKind kind, std::uint32_t flow, BytesView payload) {
    const auto out = extend(header_size + payload.size());
    wire::put_frame_header(out.first(header_size), kind, flow, payload.size());
    std::copy(payload.begin(), payload.end(), out.begin() + header_size);
}

bool PacketLink::queue(const wire::DatagramFrame& frame) {
    used_ = true;
    if (sealer_.used_up() || out_.bytes.size() + frame.payload.size() > most_queued) {
        ++counters_.dropped;
        return false;
    }
    if (!room_for(header_size + frame.payload.size())) return queue_fragments(frame);
    put(frame.kind, frame.flow, frame.payload);
    return true;
}

bool PacketLink::queue_fragments(const wire::DatagramFrame& frame) {
    constexpr auto fragment_overhead = header_size + wire::fragment_header_size;
    const auto piece = mtu_.packet_size() - tls::packet_overhead - fragment_overhead;
    wire::FragmentHeader header{next_fragmented_++, frame.kind,
                                static_cast<std::uint16_t>(frame.payload.size()),
                                static_cast<std::uint16_t>(piece), 0};
    for (; header.index < header.count(); ++header.index) {
        const auto size = wire::fragment_header_size + header.size();
        (void)room_for(header_size + size);
        const auto out = extend(header_size + size);
        wire::put_frame_header(out.first(header_size), FrameKind::fragment, frame.flow, size);
        wire::put_fragment_header(out.subspan(header_size, wire::fragment_header_size), header);
        const auto part = frame.payload.subspan(header.offset(), header.size());
        std::copy(part.begin(), part.end(), out.begin() + fragment_overhead);
    }
    return true;
}

PacketBatch& PacketLink::seal() {
    if (filling_) end_packet();
    return out_;
}

PacketLink::Heard PacketLink::receive(MutableBytes packet, FrameSink& sink, TimePoint now) {
    const auto size = packet.size();
    const auto opened = opener_.open(packet);
    if (opened.verdict != tls::PacketOpener::Verdict::opened) {
        ++(opened.verdict == tls::PacketOpener::Verdict::forged ? counters_.forged : counters_.replayed);
        return Heard::nothing;
    }
    heard_at_ = now;
    BytesView rest = opened.plaintext;
    while (!rest.empty()) {
        const auto frame = wire::take_frame(rest);
        if (!frame || !*frame) {
            ++counters_.malformed;
            break;
        }
        if ((*frame)->kind == FrameKind::padding) break;
        take(**frame, size, sink, now);
    }
    return opened.newest ? Heard::something_newer : Heard::something;
}

void PacketLink::take(const wire::DatagramFrame& frame, std::size_t packet_size, FrameSink& sink,
                      TimePoint now) {
    switch (frame.kind) {
        case FrameKind::ping: {
            std::array<Byte, 2> size;
            put_be16(size, static_cast<std::uint16_t>(packet_size));
            if (room_for(header_size + size.size())) put(FrameKind::pong, frame.flow, size);
            // Whoever is heard for the first time may hear us too.
            if (!usable_ && now - pinged_at_ >= least_between_pings) send_ping(now);
            return;
        }
        case FrameKind::pong:
            return on_pong(frame.flow, get_be16(frame.payload), now);
        case FrameKind::fragment: {
            used_ = true;
            auto whole = reassembly_.add(frame.flow, frame.payload, now);
            if (!whole) return;
            assembled_.push_back(std::move(whole->payload));
            return sink.on_frame({whole->kind, frame.flow, assembled_.back()});
        }
        default:
            used_ = true;
            sink.on_frame(frame);
    }
}

void PacketLink::on_pong(std::uint32_t nonce, std::size_t size, TimePoint now) {
    const auto found = pings_.find(nonce);
    if (found == pings_.end()) return;
    round_trip_ = std::chrono::duration_cast<Millis>(now - found->second);
    pings_.erase(found);
    usable_ = true;
    knocks_ = 0;
    waiting_for_pong_ = false;
    mtu_.passed(size, now);
}

std::uint32_t PacketLink::new_nonce(TimePoint now) {
    if (pings_.size() >= most_pings)
        std::erase_if(pings_, [now](const auto& ping) { return now - ping.second > dead_after; });
    pings_.emplace(++next_nonce_, now);
    return next_nonce_;
}

void PacketLink::send_ping(TimePoint now) {
    pinged_at_ = now;
    ++knocks_;
    if (!waiting_for_pong_) {
        waiting_for_pong_ = true;
        unanswered_since_ = now;
    }
    if (room_for(header_size)) put(FrameKind::ping, new_nonce(now), {});
}

// A packet of exactly this size.
void PacketLink::send_probe(std::size_t size, TimePoint now) {
    if (filling_) end_packet();
    begin_packet();
    put(FrameKind::ping, new_nonce(now), {});
    const auto padding = size - tls::packet_overhead - 2 * header_size;
    const auto out = extend(header_size + padding);
    wire::put_frame_header(out.first(header_size), FrameKind::padding, 0, padding);
    end_packet();
}

bool PacketLink::busy(TimePoint now) const {
    return now - used_at_ < in_use_for || mtu_.searching() || (!usable_ && knocks_ < steady_knocks) ||
           waiting_for_pong_;
}

bool PacketLink::ping_is_due(TimePoint now) const {
    const auto since = now - pinged_at_;
    if (usable_) {
        const bool in_use = now - used_at_ < in_use_for || waiting_for_pong_;
        if (in_use) return since >= ping_every;
        return role_ == Role::knocks && since >= keepalive_every;
    }
    // The other end's knocks have to come first: before that there is no address to answer to.
    if (role_ == Role::answers && (now - heard_at_ > dead_after)) return false;
    if (knocks_ < quick_knocks) return since >= quick_knock_every;
    return since >= (knocks_ < steady_knocks ? steady_knock_every : slow_knock_every);
}

void PacketLink::tick(TimePoint now) {
    if (std::exchange(used_, false)) used_at_ = now;
    reassembly_.expire(now);
    const bool unanswered = waiting_for_pong_ && now - unanswered_since_ >= dead_after;
    if (usable_ && (unanswered || now - heard_at_ >= forgotten_after)) {
        usable_ = false;
        knocks_ = 0;
        waiting_for_pong_ = false;
        pings_.clear();
        // It may come back over another network.
        mtu_.restart();
    }
    if (ping_is_due(now)) send_ping(now);
    const bool in_use = now - used_at_ < in_use_for;
    if (!usable_ || !(in_use || mtu_.searching())) return;
    if (const auto size = mtu_.probe(now)) send_probe(*size, now);
}

void PacketLink::too_big(std::size_t size) {
    mtu_.refused(size);
}

}  // namespace tunnel::net
