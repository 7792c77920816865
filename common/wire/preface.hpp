#pragma once
// The preface: the first 56 bytes a client sends on a data connection, with no round trip.
//
//   offset size
//        0    4  "TNLD"
//        4    1  version (1)
//        5    1  flags: 1 when the stream has to go in records, whatever its mapping says
//        6    2  zero
//        8    8  session id          big-endian
//       16    8  ticket number       big-endian
//       24   16  the client's nonce
//       40   16  MAC of the 40 bytes before it, under the ticket's key (common/tls/key_schedule.hpp)
//
// After a stream that leaves the connection to be used again the client sends another one, with the same
// ticket number and under the key that follows the stream's (tls::next_ticket_key()).
//
// The server answers nothing until a visitor comes; then it sends its own 16-byte nonce and one sealed record
// with the StreamOpen (stream_head.hpp). The first byte tells a data connection from TLS, whose first byte is
// 0x16.

#include <array>
#include <cstddef>

#include "common/core/bytes.hpp"
#include "common/core/ids.hpp"
#include "common/core/result.hpp"

namespace tunnel::wire {

constexpr std::size_t nonce_size = 16;
constexpr std::size_t preface_signed_size = 40;
constexpr std::size_t preface_mac_size = 16;
constexpr std::size_t preface_size = preface_signed_size + preface_mac_size;
constexpr Byte preface_first_byte = 'T';
constexpr Byte tls_first_byte = 0x16;

using Nonce = std::array<Byte, nonce_size>;
using PrefaceMac = std::array<Byte, preface_mac_size>;
using PrefaceBytes = std::array<Byte, preface_size>;

struct Preface {
    SessionId session;
    TicketNumber ticket;
    Nonce nonce{};
    // The way ends both directions of a connection at once, as most proxies do: an end of one is only told of
    // by a record.
    bool needs_records = false;
    bool operator==(const Preface&) const = default;
};

// The bytes to be signed, and the whole once the MAC is known.
std::array<Byte, preface_signed_size> encode_preface(const Preface& preface);
// Errc::protocol when it is no preface; Errc::version when it is one of another version.
Result<Preface> decode_preface(const PrefaceBytes& bytes);

}  // namespace tunnel::wire
