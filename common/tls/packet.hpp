#pragma once
// The packets in which datagrams travel between the ends as UDP: each is sealed by itself, so that one that
// is lost, late or doubled concerns no other.
//
//   version(1) zero(3) path(4) counter(8) | ciphertext | tag(16)
//   nonce = salt(4) counter(8);  additional data = the 16 bytes of the header
//
// AES-128-GCM with the packet keys of key_schedule.hpp. `path` is the server's name for the keys and the
// client they belong to, whatever address its packets come from. Counters start at 0 and count every packet
// of a direction; the receiver takes each once (wire/replay_window.hpp).

#include <cstdint>
#include <memory>
#include <optional>

#include "common/core/bytes.hpp"
#include "common/tls/aead.hpp"
#include "common/tls/key_schedule.hpp"
#include "common/wire/replay_window.hpp"

namespace tunnel::tls {

inline constexpr Byte packet_version = 1;
inline constexpr std::size_t packet_header_size = 16;
inline constexpr std::size_t packet_overhead = packet_header_size + aead_tag_size;  // 32
// One key seals at most this many packets, a larger one counting as several of 2 KiB: half of what RFC 9001
// appendix B.1.1 has for packets of that size. Then the path is made anew.
inline constexpr std::uint64_t default_packet_limit = std::uint64_t{1} << 27;
inline constexpr std::size_t counted_packet_size = 2048;

// The path that a packet names; nothing when it is no packet. Says nothing of its being genuine.
std::optional<std::uint32_t> packet_path(BytesView packet);

// Seals one direction. One thread, no allocation per packet. `keys` may go after construction.
class PacketSealer {
  public:
    PacketSealer(const AeadFactory& factory, const DirectionKeys& keys, std::uint32_t path,
                 std::uint64_t limit = default_packet_limit);

    // The plaintext stands at packet[16], and `packet` is 32 bytes longer than it. False once the key is used
    // up.
    bool seal(MutableBytes packet);
    bool used_up() const { return used_ >= limit_; }

  private:
    std::unique_ptr<Aead> aead_;
    std::array<Byte, aead_nonce_size> nonce_{};
    std::uint32_t path_;
    std::uint64_t counter_ = 0;
    std::uint64_t used_ = 0;
    std::uint64_t limit_;
};

// Opens the other end's packets, in any order. One thread, no allocation per packet.
class PacketOpener {
  public:
    PacketOpener(const AeadFactory& factory, const DirectionKeys& keys);

    enum class Verdict { opened, forged, replayed };
    struct Opened {
        Verdict verdict;
        MutableBytes plaintext;  // within the packet
        bool newest = false;     // no packet with a higher counter was opened before
    };
    // In place. `packet` is at least packet_overhead long and has a path (packet_path()).
    Opened open(MutableBytes packet);

  private:
    std::unique_ptr<Aead> aead_;
    std::array<Byte, aead_nonce_size> nonce_{};
    wire::ReplayWindow window_;
    std::uint64_t newest_ = 0;
};

}  // namespace tunnel::tls
