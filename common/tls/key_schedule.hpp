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
//   to-client keys    | ticket key n        | Expand, "tunnel v1 to client" n client_nonce server_nonce
//   to-server keys    | ticket key n        | Expand, "tunnel v1 to server" n client_nonce server_nonce
//   next ticket key   | ticket key n        | Expand, "tunnel v1 again" n: of the stream after this one on
//   the same
//                     |                     | data connection, whose number stays n; then the one before is
//                     wiped
//   frame keys        | ticket key n        | likewise, "tunnel v1 frames to client", "... to server"
//   packet keys       | ticket key n        | likewise, "tunnel v1 packets to client", "... to server"
//
// A direction's keys are a key and the constant part of its nonces, in this order: 16 + 4 bytes for
// AES-128-GCM; 32 + 12 for ChaCha20-Poly1305, whose labels are "tunnel v1 chacha20-poly1305 to client" and
// "... to server". Frame keys seal what follows the heads of a data connection that carries the datagrams of
// a UDP mapping, packet keys the packets that take its place (packet.hpp); both are AES-128-GCM's.
//
// The chain only goes forward: who steals a process's memory cannot go back to the keys of connections that
// ended. Fresh nonces of both ends make the stream keys fresh even if one end repeats its own.

#include <array>
#include <string_view>

#include "common/core/bytes.hpp"
#include "common/core/cipher.hpp"
#include "common/core/ids.hpp"
#include "common/core/secret.hpp"
#include "common/tls/aead.hpp"

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

// What takes the ticket's key's place for the next stream on its data connection.
Secret next_ticket_key(const Secret& ticket_key, TicketNumber number);

using PrefaceMac = std::array<Byte, 16>;
// Over every byte of the preface before the MAC. HMAC-SHA256 cut to 16 bytes (RFC 2104 section 5).
PrefaceMac preface_mac(const Secret& ticket_key, BytesView preface);
// Constant time; false for any other length of `mac`.
bool check_preface_mac(const Secret& ticket_key, BytesView preface, BytesView mac);

// The constant part of a direction's nonces: the salt of RFC 5288, the IV of RFC 7905.
constexpr std::size_t iv_size(Cipher cipher) {
    return cipher == Cipher::aes_128_gcm ? 4 : 12;
}

// One direction's cipher, key and constant part of the nonces; what kernel TLS is given, too. Wiped when it
// goes.
class DirectionKeys {
  public:
    // AES-128-GCM, all zero.
    DirectionKeys() = default;
    // The key and then the IV: aead_key_size(cipher) + iv_size(cipher) bytes.
    DirectionKeys(Cipher cipher, BytesView key_and_iv);
    DirectionKeys(DirectionKeys&& other) noexcept;
    DirectionKeys& operator=(DirectionKeys&& other) noexcept;
    DirectionKeys(const DirectionKeys&) = delete;
    DirectionKeys& operator=(const DirectionKeys&) = delete;
    ~DirectionKeys();

    Cipher cipher() const { return cipher_; }
    BytesView key() const { return BytesView(bytes_).first(aead_key_size(cipher_)); }
    BytesView iv() const { return BytesView(bytes_).subspan(aead_key_size(cipher_), iv_size(cipher_)); }

  private:
    Cipher cipher_ = Cipher::aes_128_gcm;
    std::array<Byte, max_aead_key_size + 12> bytes_{};
};

struct StreamKeys {
    DirectionKeys to_client;  // the server seals, the client opens
    DirectionKeys to_server;  // the client seals, the server opens
};

using StreamNonce = std::array<Byte, 16>;
StreamKeys derive_stream_keys(Cipher cipher, const Secret& ticket_key, TicketNumber number,
                              const StreamNonce& client_nonce, const StreamNonce& server_nonce);

// Of a data connection that carries datagrams.
struct CarrierKeys {
    StreamKeys frames;
    StreamKeys packets;
};
CarrierKeys derive_carrier_keys(const Secret& ticket_key, TicketNumber number,
                                const StreamNonce& client_nonce, const StreamNonce& server_nonce);

}  // namespace tunnel::tls
