#pragma once
// From one control connection's handshake to the keys of every data connection, without public-key work per
// visitor. All steps are HKDF-SHA256 (RFC 5869); n is the ticket's number as 8 bytes, big-endian.
//
//   key               | made from           | HKDF step and label
//   ------------------+---------------------+----------------------------------------------------------------
//   session data key  | TLS exporter        | RFC 5705, "EXPORTER-tunnel-data-v1", empty context, 32 bytes
//   chain key 0       | session data key    | Extract, salt "tunnel v1 chain"
//   ticket key n      | chain key n-1       | Expand, "tunnel v1 ticket" n
//   chain key n       | chain key n-1       | Expand, "tunnel v1 ratchet" n; then chain key n-1 is wiped
//   preface MAC key   | ticket key n        | Expand, "tunnel v1 preface"
//   to-client key     | ticket key n        | Expand, "tunnel v1 to client" n client_nonce server_nonce, 20
//   bytes to-server key     | ticket key n        | Expand, "tunnel v1 to server" n client_nonce
//   server_nonce, 20 bytes frame keys        | ticket key n        | likewise, "tunnel v1 frames to client",
//   "... to server" packet keys       | ticket key n        | likewise, "tunnel v1 packets to client", "...
//   to server"
//
// The 20 bytes are AES-128-GCM's key and the 4 bytes that every nonce begins with. Frame keys seal what
// follows the heads of a data connection that carries the datagrams of a UDP mapping, packet keys the packets
// that take its place (packet.hpp).
//
// The chain only goes forward: who steals a process's memory cannot go back to the keys of connections that
// ended. Fresh nonces of both ends make the stream keys fresh even if one end repeats its own.

#include <array>
#include <string_view>

#include "common/core/bytes.hpp"
#include "common/core/ids.hpp"
#include "common/core/secret.hpp"

namespace tunnel::tls {

inline constexpr std::string_view data_exporter_label = "EXPORTER-tunnel-data-v1";
inline constexpr std::size_t session_data_key_size = 32;

struct TicketKey {
    TicketNumber number;
    Secret key;  // 32 bytes
};

// Both ends hold one per session and call next() in the same order. Not for several threads at once.
class KeyChain {
  public:
    explicit KeyChain(const Secret& session_data_key);
    // Numbers count up from 1.
    TicketKey next();

  private:
    Secret chain_key_;
    std::uint64_t last_ = 0;
};

using PrefaceMac = std::array<Byte, 16>;
// Over every byte of the preface before the MAC. HMAC-SHA256 cut to 16 bytes (RFC 2104 section 5).
PrefaceMac preface_mac(const Secret& ticket_key, BytesView preface);
// Constant time; false for any other length of `mac`.
bool check_preface_mac(const Secret& ticket_key, BytesView preface, BytesView mac);

// One direction's AES-128-GCM key and implicit nonce part (RFC 5288); what kernel TLS is given, too. Wiped
// when it goes.
struct DirectionKeys {
    std::array<Byte, 16> key{};
    std::array<Byte, 4> salt{};

    DirectionKeys() = default;
    DirectionKeys(DirectionKeys&& other) noexcept;
    DirectionKeys& operator=(DirectionKeys&& other) noexcept;
    DirectionKeys(const DirectionKeys&) = delete;
    DirectionKeys& operator=(const DirectionKeys&) = delete;
    ~DirectionKeys();
};

struct StreamKeys {
    DirectionKeys to_client;  // the server seals, the client opens
    DirectionKeys to_server;  // the client seals, the server opens
};

using StreamNonce = std::array<Byte, 16>;
StreamKeys derive_stream_keys(const Secret& ticket_key, TicketNumber number, const StreamNonce& client_nonce,
                              const StreamNonce& server_nonce);

// Of a data connection that carries datagrams.
struct CarrierKeys {
    StreamKeys frames;
    StreamKeys packets;
};
CarrierKeys derive_carrier_keys(const Secret& ticket_key, TicketNumber number,
                                const StreamNonce& client_nonce, const StreamNonce& server_nonce);

}  // namespace tunnel::tls
