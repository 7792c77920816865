#pragma once
// Datagrams that are larger than a packet may be: cut into fragments of equal size (the last one shorter),
// one a packet, and put together again. A datagram of which a fragment is lost is lost.
//
//   payload of a frame of kind fragment, whose flow is the datagram's:
//   id(4) kind(1) total(2) piece(2) index(1) bytes
//
// id counts up for each datagram of the sender; kind (datagram or first) and total are those of the whole
// frame; piece is the size of every part but the last.

#include <cstdint>
#include <list>
#include <optional>
#include <unordered_map>

#include "common/core/bytes.hpp"
#include "common/core/clock.hpp"
#include "common/wire/datagram_frame.hpp"

namespace tunnel::wire {

constexpr std::size_t fragment_header_size = 10;
constexpr std::size_t least_piece = 1024;  // so that a datagram has at most 64 parts
constexpr std::size_t most_pieces = 64;

struct FragmentHeader {
    std::uint32_t id = 0;
    FrameKind kind = FrameKind::datagram;
    std::uint16_t total = 0;
    std::uint16_t piece = 0;
    std::uint8_t index = 0;
    bool operator==(const FragmentHeader&) const = default;
    std::size_t count() const { return (std::size_t{total} + piece - 1) / piece; }
    std::size_t offset() const { return std::size_t{index} * piece; }
    std::size_t size() const { return index + 1U == count() ? total - offset() : piece; }
};
void put_fragment_header(MutableBytes out, const FragmentHeader& header);
// Nothing when the payload is no fragment: a piece too small, a part that does not lie within the whole.
std::optional<FragmentHeader> decode_fragment(BytesView payload);

// Puts fragments together. Holds at most `memory` bytes of incomplete datagrams, none for longer than
// `patience`; what comes beyond that takes the place of the oldest.
class Reassembly {
  public:
    static constexpr std::size_t default_memory = 4 * 1024 * 1024;
    static constexpr Millis patience{2000};
    explicit Reassembly(std::size_t memory = default_memory) : memory_(memory) {}

    struct Whole {
        FrameKind kind;
        Bytes payload;
    };
    // One fragment of a flow. The whole datagram with the last of its fragments; nothing otherwise, also for
    // what is malformed, came twice or contradicts earlier fragments.
    std::optional<Whole> add(std::uint32_t flow, BytesView payload, TimePoint now);
    // Forgets what has waited for longer than `patience`.
    void expire(TimePoint now);

    std::size_t held() const { return held_; }
    // Datagrams that were given up incomplete.
    std::uint64_t lost() const { return lost_; }

  private:
    struct Key {
        std::uint32_t flow;
        std::uint32_t id;
        bool operator==(const Key&) const = default;
    };
    struct KeyHash {
        std::size_t operator()(const Key& key) const noexcept {
            return std::hash<std::uint64_t>()(std::uint64_t{key.flow} << 32 | key.id);
        }
    };
    struct Partial {
        Key key;
        FragmentHeader like;  // its index means nothing
        std::uint64_t have = 0;
        std::size_t missing;
        TimePoint begun;
        Bytes bytes;
    };
    using Partials = std::list<Partial>;
    void give_up_oldest();

    std::size_t memory_;
    std::size_t held_ = 0;
    std::uint64_t lost_ = 0;
    Partials oldest_first_;
    std::unordered_map<Key, Partials::iterator, KeyHash> by_key_;
};

}  // namespace tunnel::wire
