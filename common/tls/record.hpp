#pragma once
// The records of an encrypted data connection: exactly TLS 1.2's (RFC 5246 section 6.2.3.3) with AES-128-GCM
// (RFC 5288), so that kernel TLS can take over at either end, or with ChaCha20-Poly1305 (RFC 7905). There is
// no handshake; the keys come from key_schedule.hpp.
//
//   AES:    type(1) 3 3 length(2) | explicit nonce(8) = sequence number | ciphertext | tag(16)
//           nonce = salt(4) explicit(8)
//   ChaCha: type(1) 3 3 length(2) | ciphertext | tag(16)
//           nonce = IV(12) xor the sequence number, padded to 12 bytes in front
//   additional data = sequence(8) type(1) 3 3 plaintext length(2)
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
constexpr std::size_t explicit_nonce_size(Cipher cipher) {
    return cipher == Cipher::aes_128_gcm ? 8 : 0;
}
// What a record has around its plaintext: 29 or 21 bytes.
constexpr std::size_t record_overhead_of(Cipher cipher) {
    return record_header_size + explicit_nonce_size(cipher) + aead_tag_size;
}
// At most, whatever the cipher.
inline constexpr std::size_t record_overhead = record_overhead_of(Cipher::aes_128_gcm);  // 29
inline constexpr std::size_t least_record_overhead = record_overhead_of(Cipher::chacha20_poly1305);
inline constexpr std::size_t max_record_plaintext = 16384;
inline constexpr std::size_t max_record_size = max_record_plaintext + record_overhead;
// One key seals at most this many records: with records of 16 KiB, far inside GCM's limits (RFC 8446
// section 5.5 has the reasoning), and 64 TiB.
inline constexpr std::uint64_t default_record_limit = std::uint64_t{1} << 32;

// Bytes that `plaintext` bytes become when cut into records of full size, at most; 0 for 0.
constexpr std::size_t sealed_size(std::size_t plaintext) {
    return plaintext + (plaintext + max_record_plaintext - 1) / max_record_plaintext * record_overhead;
}

// A direction's nonces, each made from its constant part and the record's number.
class NonceMaker {
  public:
    explicit NonceMaker(const DirectionKeys& keys);
    Cipher cipher() const { return cipher_; }
    std::array<Byte, aead_nonce_size> nonce(std::uint64_t sequence) const;

  private:
    Cipher cipher_;
    std::array<Byte, aead_nonce_size> base_{};
};

// Seals one direction. Move-only, one thread at a time, no allocation per record. `keys` may go after
// construction.
class RecordSealer {
  public:
    RecordSealer(const AeadFactory& factory, const DirectionKeys& keys,
                 std::uint64_t record_limit = default_record_limit);
    RecordSealer(AeadCache& ciphers, const DirectionKeys& keys);

    // One record; returns its size, plaintext + record_overhead_of(the keys' cipher). Errc::invalid when the
    // plaintext is over 16384 bytes or `out` is shorter than that; Errc::limit when the key is used up. `out`
    // may not overlap the plaintext, except that the plaintext may already stand at its place in the record:
    // out + 13, or out + 5.
    Result<std::size_t> seal(RecordType type, BytesView plaintext, MutableBytes out);
    // Application data of any size, cut into full records and one shorter; `out` has at least
    // sealed_size(plaintext.size()) bytes. All or nothing: checked before the first record is made.
    Result<std::size_t> seal_many(BytesView plaintext, MutableBytes out);
    // The alert {warning, close_notify}: 31 or 23 bytes. Nothing may be sealed after it (Errc::closed).
    static constexpr std::size_t close_notify_size = record_overhead + 2;
    Result<std::size_t> close_notify(MutableBytes out);

    // The number of the next record; what kernel TLS has to be told when it takes over.
    std::uint64_t sequence() const { return sequence_; }
    std::uint64_t record_limit() const { return limit_; }

  private:
    std::unique_ptr<Aead> aead_;
    NonceMaker nonces_;
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

    // The size of the whole record, header included, from its first five bytes: at least 21, at most
    // max_record_size. Errc::protocol for another type, another version or a length that no record of ours
    // has. Checked before anything is stored for the record; open() is as strict as its cipher allows.
    static Result<std::size_t> record_size(BytesView header);

    struct Opened {
        RecordType type;
        std::size_t size;  // of the plaintext, at the start of `out`
        // The peer ended this direction with close_notify; size is 0. No record may follow.
        bool closed = false;
    };
    // `out` has room for the plaintext and does not overlap the record, or starts at the plaintext's place in
    // it. Any failure (altered, replayed, out of order, cut short, an alert that is not close_notify,
    // anything after close_notify) is Errc::protocol and final: every later call fails, because the stream
    // cannot be trusted again.
    Result<Opened> open(BytesView record, MutableBytes out);

    // The number of the next record; what kernel TLS has to be told when it takes over.
    std::uint64_t sequence() const { return sequence_; }

  private:
    Result<Opened> open_checked(BytesView record, MutableBytes out);
    Status check_explicit_nonce(BytesView record) const;

    std::unique_ptr<Aead> aead_;
    NonceMaker nonces_;
    std::uint64_t sequence_ = 0;
    std::uint64_t limit_;
    bool closed_ = false;
    bool failed_ = false;
};

}  // namespace tunnel::tls
