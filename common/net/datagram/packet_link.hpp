#pragma once
// One end of the packet way between server and client: frames in, sealed packets out, and back. Several
// frames share a packet where they fit; what is larger than a packet is sent in fragments. It measures
// whether the way works (pings that are answered), how large its packets may be (wire/mtu_search.hpp), and
// keeps the entry of a NAT alive. Sans-I/O: packets are bytes, `now` is passed in.
//
// A ping is answered by a pong with the same nonce and the size of the packet that brought the ping.
//
// Not for several threads at once. Owner: the driver of the socket it belongs to.

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "common/core/clock.hpp"
#include "common/net/datagram/frame_sink.hpp"
#include "common/tls/packet.hpp"
#include "common/wire/mtu_search.hpp"
#include "common/wire/reassembly.hpp"

namespace tunnel::net {

// Sealed packets, one after the other.
struct PacketBatch {
    Bytes bytes;
    std::vector<std::uint32_t> sizes;
    bool empty() const { return sizes.empty(); }
    void clear() {
        bytes.clear();
        sizes.clear();
    }
};

class PacketLink {
  public:
    // Who knocks: the client, whose NAT opens from inside.
    enum class Role { knocks, answers };
    // A way whose pings went unanswered for this long is no use.
    static constexpr Millis dead_after{4000};
    // While datagrams flow.
    static constexpr Millis ping_every{500};
    // While none do: NATs forget an entry after 30 s or more (RFC 4787 REQ-5 asks for 2 minutes).
    static constexpr Millis keepalive_every{15'000};
    static constexpr Millis forgotten_after{50'000};
    static constexpr std::size_t largest_packet = 65'507;
    // Of packets that were queued and not taken.
    static constexpr std::size_t most_queued = 2 * 1024 * 1024;

    struct Keys {
        const tls::DirectionKeys& seal;
        const tls::DirectionKeys& open;
    };
    PacketLink(const tls::AeadFactory& factory, Keys keys, std::uint32_t path, Role role, TimePoint now);

    enum class Heard { nothing, something, something_newer };
    // A packet of this path, opened in place: its frames go to `sink`, their payloads valid for as long as
    // `packet` is and until release(). `nothing`: forged or replayed. `something_newer`: no packet that was
    // sent later came before it, so its sender's address is where the other end is now.
    Heard receive(MutableBytes packet, FrameSink& sink, TimePoint now);
    // Frames that were handed over are not looked at any more.
    void release() { assembled_.clear(); }

    // False when it is dropped: too much is queued already, or the key is used up.
    bool queue(const wire::DatagramFrame& frame);
    // Queues what it is time for: pings, probes, keepalives. To be called at least every 100 ms while busy(),
    // else every second.
    void tick(TimePoint now);
    // Seals what is queued. The caller sends the batch and clears it.
    PacketBatch& seal();
    // The system refused a packet of this size.
    void too_big(std::size_t size);

    // Whether datagrams may go this way.
    bool usable() const { return usable_ && !sealer_.used_up(); }
    bool used_up() const { return sealer_.used_up(); }
    // True while pings go out often.
    bool busy(TimePoint now) const;
    std::size_t packet_size() const { return mtu_.packet_size(); }
    Millis round_trip() const { return round_trip_; }
    TimePoint heard_at() const { return heard_at_; }

    struct Counters {
        std::uint64_t forged = 0;
        std::uint64_t replayed = 0;
        std::uint64_t malformed = 0;
        std::uint64_t dropped = 0;  // by queue()
    };
    const Counters& counters() const { return counters_; }
    std::uint64_t incomplete() const { return reassembly_.lost(); }

  private:
    struct Ping {
        TimePoint sent;
    };
    bool room_for(std::size_t frame_size);
    void begin_packet();
    void end_packet();
    MutableBytes extend(std::size_t size);
    void put(wire::FrameKind kind, std::uint32_t flow, BytesView payload);
    bool queue_fragments(const wire::DatagramFrame& frame);
    void send_ping(TimePoint now);
    void send_probe(std::size_t size, TimePoint now);
    bool ping_is_due(TimePoint now) const;
    void take(const wire::DatagramFrame& frame, std::size_t packet_size, FrameSink& sink, TimePoint now);
    void on_pong(std::uint32_t nonce, std::size_t size, TimePoint now);
    std::uint32_t new_nonce(TimePoint now);

    tls::PacketSealer sealer_;
    tls::PacketOpener opener_;
    Role role_;
    wire::MtuSearch mtu_{largest_packet};
    wire::Reassembly reassembly_;
    std::vector<Bytes> assembled_;
    PacketBatch out_;
    std::size_t begun_at_ = 0;  // where the packet begins that is being filled
    bool filling_ = false;
    std::uint32_t next_fragmented_ = 0;
    std::uint32_t next_nonce_;
    std::unordered_map<std::uint32_t, TimePoint> pings_;  // not answered yet
    bool usable_ = false;
    int knocks_ = 0;     // since it was last usable
    bool used_ = false;  // since the last tick
    TimePoint used_at_{};
    TimePoint pinged_at_{};
    TimePoint unanswered_since_;
    bool waiting_for_pong_ = false;
    TimePoint heard_at_;
    Millis round_trip_{0};
    Counters counters_;
};

}  // namespace tunnel::net
