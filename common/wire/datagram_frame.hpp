#pragma once
// Datagrams of UDP mappings on their way between the ends: frames, in a data connection one after the other,
// in a sealed packet (common/tls/packet.hpp) as many as fit.
//
//   kind(1) flow(4) length(2) payload(length)          integers big-endian
//
//   kind        payload                                   travels in
//   padding     anything; ends its packet                 packets
//   datagram    one datagram of the flow                  both
//   first       visitor's address(16) port(2), datagram   both, server to client: announces the flow
//   closed      one byte, ClosedReason                    both: the sender does not know that flow (any more)
//   fragment    a part of a datagram, see reassembly.hpp  packets
//   ping, pong  see packet_link.hpp; flow is a nonce      packets
//
// A flow's number is chosen by the server and not used again for another visitor of the same flow group.

#include <array>
#include <cstdint>
#include <optional>

#include "common/core/address.hpp"
#include "common/core/bytes.hpp"
#include "common/core/result.hpp"

namespace tunnel::wire {

enum class FrameKind : Byte {
    padding = 0,
    datagram = 1,
    first = 2,
    closed = 3,
    fragment = 4,
    ping = 5,
    pong = 6
};
enum class ClosedReason : Byte { unknown = 0, unreachable = 1, limit = 2, not_allowed = 3 };
constexpr std::size_t closed_reasons = 4;

constexpr std::size_t datagram_header_size = 7;
constexpr std::size_t max_datagram = 65'507;  // the largest payload of UDP over IPv4 (RFC 768, RFC 791)
constexpr std::size_t visitor_address_size = 18;
constexpr std::size_t max_frame_payload = max_datagram + visitor_address_size;

struct DatagramFrame {
    FrameKind kind = FrameKind::datagram;
    std::uint32_t flow = 0;
    BytesView payload;
};

void put_frame_header(MutableBytes out, FrameKind kind, std::uint32_t flow, std::size_t size);
// The payload has at most max_frame_payload bytes.
void append_frame(Bytes& out, const DatagramFrame& frame);

// Takes the first frame off `bytes`; nothing, and `bytes` as it was, while it is incomplete. Errc::protocol
// for an unknown kind and a length that its kind does not have, told from the header alone.
Result<std::optional<DatagramFrame>> take_frame(BytesView& bytes);

// Who sends the datagrams of a flow.
struct VisitorAddress {
    IpAddress ip;
    Port port = 0;
    bool operator==(const VisitorAddress&) const = default;
};
std::array<Byte, visitor_address_size> encode(const VisitorAddress& visitor);
// Exactly visitor_address_size bytes.
VisitorAddress decode_visitor_address(BytesView bytes);

// Cuts a data connection's bytes into frames. Frames that are whole in what is fed are handed out where they
// lie; it holds at most one incomplete frame (max_frame_payload + 7 bytes) and the one it completed last.
class DatagramReader {
  public:
    // Hands every whole frame to `sink(const DatagramFrame&)`; its payload is valid for as long as `bytes`
    // are and read() is not called again. Errc::protocol, after which the connection cannot be used: not a
    // frame, or one that travels in packets.
    template <class Sink>
    Status read(BytesView bytes, Sink&& sink) {
        if (!held_.empty()) {
            auto whole = complete(bytes);
            if (!whole) return pass(std::move(whole.error()));
            if (!*whole) return {};
            handed_out_.swap(held_);
            held_.clear();
            BytesView held(handed_out_);
            if (auto ok = hand_out(held, sink); !ok) return ok;
        }
        if (auto ok = hand_out(bytes, sink); !ok) return ok;
        held_.assign(bytes.begin(), bytes.end());
        return {};
    }
    std::size_t held() const { return held_.size(); }

  private:
    template <class Sink>
    Status hand_out(BytesView& bytes, Sink& sink) {
        for (;;) {
            auto frame = take_frame(bytes);
            if (!frame) return pass(std::move(frame.error()));
            if (!*frame) return {};
            if (auto ok = check_kind((*frame)->kind); !ok) return ok;
            sink(**frame);
        }
    }
    // Moves what the held frame lacks from `bytes` to it. True when it is whole.
    Result<bool> complete(BytesView& bytes);
    static Status check_kind(FrameKind kind);

    Bytes held_;
    Bytes handed_out_;
};

}  // namespace tunnel::wire
