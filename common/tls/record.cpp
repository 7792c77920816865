#include "common/tls/record.hpp"

#include <algorithm>
#include <array>

namespace tunnel::tls {

namespace {

constexpr Byte version_byte = 3;                            // both of TLS 1.2's: 3, 3
constexpr std::array<Byte, 2> close_notify_alert = {1, 0};  // warning, close_notify (RFC 5246 section 7.2)

using AdditionalData = std::array<Byte, 13>;

// Where the ciphertext begins.
std::size_t body_start(Cipher cipher) {
    return record_header_size + explicit_nonce_size(cipher);
}

AdditionalData make_additional_data(std::uint64_t sequence, Byte type, std::size_t plaintext) {
    AdditionalData data;
    put_be64(MutableBytes(data).first(8), sequence);
    data[8] = type;
    data[9] = version_byte;
    data[10] = version_byte;
    put_be16(MutableBytes(data).subspan(11), static_cast<std::uint16_t>(plaintext));
    return data;
}

tl::unexpected<Error> key_used_up(std::uint64_t limit) {
    return fail(Errc::limit,
                "the key of this data connection has served its {} records; the connection has to end",
                limit);
}

}  // namespace

NonceMaker::NonceMaker(const DirectionKeys& keys) : cipher_(keys.cipher()) {
    const auto iv = keys.iv();
    std::copy(iv.begin(), iv.end(), base_.begin());
}

std::array<Byte, aead_nonce_size> NonceMaker::nonce(std::uint64_t sequence) const {
    constexpr std::size_t padding = aead_nonce_size - sizeof sequence;
    // RFC 7905's rule; and RFC 5288's, because behind its salt stands nothing yet.
    auto nonce = base_;
    put_be64(MutableBytes(nonce).subspan(padding), get_be64(BytesView(nonce).subspan(padding)) ^ sequence);
    return nonce;
}

RecordSealer::RecordSealer(const AeadFactory& factory, const DirectionKeys& keys, std::uint64_t record_limit)
    : aead_(factory.make(keys.cipher(), keys.key())), nonces_(keys), limit_(record_limit) {}

RecordSealer::RecordSealer(AeadCache& ciphers, const DirectionKeys& keys)
    : aead_(ciphers.make(keys.cipher(), keys.key())), nonces_(keys), limit_(default_record_limit) {}

Result<std::size_t> RecordSealer::seal(RecordType type, BytesView plaintext, MutableBytes out) {
    if (closed_) return fail(Errc::closed, "nothing can be sealed after close_notify");
    if (sequence_ >= limit_) return key_used_up(limit_);
    if (plaintext.size() > max_record_plaintext)
        return fail(Errc::invalid, "a record holds at most {} bytes, not {}", max_record_plaintext,
                    plaintext.size());
    const Cipher cipher = nonces_.cipher();
    const std::size_t size = plaintext.size() + record_overhead_of(cipher);
    if (out.size() < size)
        return fail(Errc::invalid, "a record of {} bytes does not fit into {}", size, out.size());

    const Byte type_byte = static_cast<Byte>(type);
    const auto nonce = nonces_.nonce(sequence_);
    const AdditionalData additional = make_additional_data(sequence_, type_byte, plaintext.size());
    const auto body = out.subspan(body_start(cipher), plaintext.size() + aead_tag_size);
    if (!aead_->seal(nonce, additional, plaintext, body))
        return fail(Errc::internal, "the cipher refused to seal a record of {} bytes", plaintext.size());
    out[0] = type_byte;
    out[1] = version_byte;
    out[2] = version_byte;
    put_be16(out.subspan(3, 2), static_cast<std::uint16_t>(size - record_header_size));
    if (cipher == Cipher::aes_128_gcm) put_be64(out.subspan(record_header_size, 8), sequence_);
    ++sequence_;
    return size;
}

Result<std::size_t> RecordSealer::seal_many(BytesView plaintext, MutableBytes out) {
    const std::size_t total = sealed_size(plaintext.size());
    if (out.size() < total)
        return fail(Errc::invalid, "records of {} bytes do not fit into {}", total, out.size());
    const std::uint64_t records = (plaintext.size() + max_record_plaintext - 1) / max_record_plaintext;
    if (records > limit_ - std::min(sequence_, limit_)) return key_used_up(limit_);
    std::size_t written = 0;
    while (!plaintext.empty()) {
        const BytesView chunk = plaintext.first(std::min(plaintext.size(), max_record_plaintext));
        auto sealed = seal(RecordType::application_data, chunk, out.subspan(written));
        if (!sealed) return sealed;
        written += *sealed;
        plaintext = plaintext.subspan(chunk.size());
    }
    return written;
}

Result<std::size_t> RecordSealer::close_notify(MutableBytes out) {
    auto sealed = seal(RecordType::alert, close_notify_alert, out);
    if (sealed) closed_ = true;
    return sealed;
}

RecordOpener::RecordOpener(const AeadFactory& factory, const DirectionKeys& keys, std::uint64_t record_limit)
    : aead_(factory.make(keys.cipher(), keys.key())), nonces_(keys), limit_(record_limit) {}

RecordOpener::RecordOpener(AeadCache& ciphers, const DirectionKeys& keys)
    : aead_(ciphers.make(keys.cipher(), keys.key())), nonces_(keys), limit_(default_record_limit) {}

Result<std::size_t> RecordOpener::record_size(BytesView header) {
    if (header.size() < record_header_size)
        return fail(Errc::invalid, "a record's header has {} bytes, not {}", record_header_size,
                    header.size());
    const Byte type = header[0];
    if (type != static_cast<Byte>(RecordType::application_data) &&
        type != static_cast<Byte>(RecordType::alert))
        return fail(Errc::protocol, "the peer sent a record of type {}; data connections know 21 and 23",
                    type);
    if (header[1] != version_byte || header[2] != version_byte)
        return fail(Errc::protocol, "the peer sent a record of version {}.{}, not 3.3 (TLS 1.2)", header[1],
                    header[2]);
    const std::size_t body = get_be16(header.subspan(3, 2));
    const bool alert = type == static_cast<Byte>(RecordType::alert);
    const std::size_t content = alert ? close_notify_alert.size() : 0;
    const std::size_t least = least_record_overhead - record_header_size + content;
    const std::size_t most = record_overhead - record_header_size + (alert ? content : max_record_plaintext);
    if (body < least || body > most)
        return fail(Errc::protocol, "the peer sent a record of type {} with length {}, outside {} to {}",
                    type, body, least, most);
    return record_header_size + body;
}

Result<RecordOpener::Opened> RecordOpener::open(BytesView record, MutableBytes out) {
    if (failed_)
        return fail(Errc::protocol, "an earlier record of this connection was not genuine; it has to end");
    const std::size_t overhead = record_overhead_of(nonces_.cipher());
    if (record.size() > overhead && out.size() < record.size() - overhead)
        return fail(Errc::invalid, "the data of a record of {} bytes does not fit into {}", record.size(),
                    out.size());
    auto opened = open_checked(record, out);
    if (!opened) failed_ = true;
    return opened;
}

// RFC 5288 lets the sender choose this number. Ours is the sequence, which the salt and the tag then cover
// twice.
Status RecordOpener::check_explicit_nonce(BytesView record) const {
    if (nonces_.cipher() != Cipher::aes_128_gcm) return {};
    const std::uint64_t number = get_be64(record.subspan(record_header_size, 8));
    if (number == sequence_) return {};
    return fail(Errc::protocol, "record {} arrived where record {} was due: replayed, reordered or lost",
                number, sequence_);
}

Result<RecordOpener::Opened> RecordOpener::open_checked(BytesView record, MutableBytes out) {
    if (closed_) return fail(Errc::protocol, "the peer sent a record after its close_notify");
    if (sequence_ >= limit_) return key_used_up(limit_);
    if (record.size() < record_header_size)
        return fail(Errc::protocol, "a record was cut short after {} bytes", record.size());
    const auto size = record_size(record);
    if (!size) return pass(size.error());
    if (record.size() != *size)
        return fail(Errc::protocol, "a record announces {} bytes and has {}", *size, record.size());
    const Cipher cipher = nonces_.cipher();
    const RecordType type{record[0]};
    const std::size_t overhead = record_overhead_of(cipher);
    const std::size_t least = overhead + (type == RecordType::alert ? close_notify_alert.size() : 0);
    if (record.size() < least || record.size() > max_record_plaintext + overhead)
        return fail(Errc::protocol, "the peer sent a record of {} bytes, which {} never makes", record.size(),
                    to_string(cipher));
    if (auto ok = check_explicit_nonce(record); !ok) return pass(ok.error());

    const std::size_t plaintext = record.size() - overhead;
    const MutableBytes target = out.first(plaintext);
    const auto nonce = nonces_.nonce(sequence_);
    const AdditionalData additional = make_additional_data(sequence_, record[0], plaintext);
    if (!aead_->open(nonce, additional, record.subspan(body_start(cipher)), target))
        return fail(Errc::protocol,
                    "record {} is not genuine: altered on the way, or sealed with another key", sequence_);
    ++sequence_;
    if (type == RecordType::application_data) return Opened{type, plaintext, false};
    if (!std::ranges::equal(target, close_notify_alert))
        return fail(Errc::protocol, "the peer ended the connection with alert {}.{}", target[0], target[1]);
    closed_ = true;
    return Opened{type, 0, true};
}

}  // namespace tunnel::tls
