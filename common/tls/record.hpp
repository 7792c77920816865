#pragma once
// The records of an encrypted data connection: exactly TLS 1.2's with AES-128-GCM (RFC 5246 section 6.2.3.3,
// RFC 5288), so that kernel TLS can take over at either end. There is no handshake; the keys come from
// key_schedule.hpp.
//
//   type(1) 3 3 length(2) | explicit nonce(8) = sequence number | ciphertext | tag(16)
//   nonce = salt(4) explicit(8);  additional data = sequence(8) type(1) 3 3 plaintext length(2)
//
// Sequences start at 0 and count every record, alerts too. Types in use: application_data, and alert for
// close_notify (the end of a direction, which TCP alone cannot tell from a cut).

#include <cstddef>
#include <cstdint>
#include <memory>

#include "common/core/bytes.hpp"
#include "common/core/result.hpp"
#include "common/tls/aead_cache.hpp"
#include "common/tls/key_schedule.hpp"

namespace tunnel::tls {

enum class RecordType : Byte { alert = 21, application_data = 23 };

inline constexpr std::size_t record_header_size = 5;
inline constexpr std::size_t record_overhead = record_header_size + 8 + aead_tag_size;  // 29
inline constexpr std::size_t max_record_plaintext = 16384;
inline constexpr std::size_t max_record_size = max_record_plaintext + record_overhead;
// One key seals at most this many records: with records of 16 KiB, far inside GCM's limits (RFC 8446
// section 5.5 has the reasoning), and 64 TiB.
inline constexpr std::uint64_t default_record_limit = std::uint64_t{1} << 32;

// Bytes that `plaintext` bytes become when cut into records of full size; 0 for 0.
constexpr std::size_t sealed_size(std::size_t plaintext) {
    return plaintext + (plaintext + max_record_plaintext - 1) / max_record_plaintext * record_overhead;
}

// Seals one direction. Move-only, one thread at a time, no allocation per record. `keys` may go after
// construction.
class RecordSealer {
  public:
    RecordSealer(const AeadFactory& factory, const DirectionKeys& keys,
                 std::uint64_t record_limit = default_record_limit);
    RecordSealer(AeadCache& ciphers, const DirectionKeys& keys);

    // One record; returns its size. Errc::invalid when the plaintext is over 16384 bytes or `out` is shorter
    // than plaintext + 29; Errc::limit when the key is used up. `out` may not overlap the plaintext, except
    // that the plaintext may already stand at out + 13, its place in the record.
    Result<std::size_t> seal(RecordType type, BytesView plaintext, MutableBytes out);
    // Application data of any size, cut into full records and one shorter; `out` has at least
    // sealed_size(plaintext.size()) bytes. All or nothing: checked before the first record is made.
    Result<std::size_t> seal_many(BytesView plaintext, MutableBytes out);
    // The alert {warning, close_notify}: 31 bytes. Nothing may be sealed after it (Errc::closed).
    static constexpr std::size_t close_notify_size = record_overhead + 2;
    Result<std::size_t> close_notify(MutableBytes out);

    // The number of the next record; what kernel TLS has to be told when it takes over.
    std::uint64_t sequence() const { return sequence_; }
    std::uint64_t record_limit() const { return limit_; }

  private:
    std::unique_ptr<Aead> aead_;
    std::array<Byte, 4> salt_;
    std::uint64_t sequence_ = 0;
    std::uint64_t limit_;
    bool closed_ = false;
};

// Opens the other end's records, in order. Move-only, one thread at a time, no allocation per record.
class RecordOpener {
  public:
    RecordOpener(const AeadFactory& factory, const DirectionKeys& keys,
                 std::uint64_t record_limit = default_record_limit);
    RecordOpener(AeadCache& ciphers, const DirectionKeys& keys);

    // The size of the whole record, header included, from its first five bytes: at least 29, at most
    // max_record_size. Errc::protocol for another type, another version or a length that no record of ours
    // has. Checked before anything is stored for the record.
    static Result<std::size_t> record_size(BytesView header);

    struct Opened {
        RecordType type;
        std::size_t size;  // of the plaintext, at the start of `out`
        // The peer ended this direction with close_notify; size is 0. No record may follow.
        bool closed = false;
    };
    // `out` has room for record.size() - 29 bytes and does not overlap the record, or starts at record + 13.
    // Any failure (altered, replayed, out of order, cut short, an alert that is not close_notify, anything
    // after close_notify) is Errc::protocol and final: every later call fails, because the stream cannot be
    // trusted again.
    Result<Opened> open(BytesView record, MutableBytes out);

    // The number of the next record; what kernel TLS has to be told when it takes over.
    std::uint64_t sequence() const { return sequence_; }

  private:
    Result<Opened> open_checked(BytesView record, MutableBytes out);

    std::unique_ptr<Aead> aead_;
    std::array<Byte, 4> salt_;
    std::uint64_t sequence_ = 0;
    std::uint64_t limit_;
    bool closed_ = false;
    bool failed_ = false;
};

}  // namespace tunnel::tls
