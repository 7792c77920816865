// How the two directions of an encrypted data connection are moved when this process seals and opens the
// records itself.

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "common/net/relay/relay.hpp"

namespace tunnel::net {

namespace {

constexpr std::size_t read_size = 64 * 1024;

// How many bytes may be read at most of the record whose beginning is there, or of the next one's header.
std::size_t rest_of_record(BytesView partial) {
    if (partial.size() < tls::record_header_size) return tls::record_header_size - partial.size();
    const auto size = tls::RecordOpener::record_size(partial.first(tls::record_header_size));
    // A header that is none is reported when it is opened.
    return size && *size > partial.size() ? *size - partial.size() : 1;
}

}  // namespace

void Relay::seal(Direction& direction) {
    auto& scratch = resources_.scratch;
    const auto room = std::min(read_size, read_limit_);
    const auto n = receive(direction, MutableBytes(scratch.in).first(room));
    if (n < 0) return no_bytes(direction, errno);
    const auto size = static_cast<std::size_t>(n);
    const auto sealed = size > 0 ? records_->sealer.seal_many(BytesView(scratch.in).first(size), scratch.out)
                                 : records_->sealer.close_notify(scratch.out);
    if (!sealed) {
        fail(RelayEnd::key_used_up, sealed.error().message);
        return;
    }
    auto total = *sealed;
    if (size == 0) {
        direction.source_ended = true;
        const auto words = data_in_.ended ? words_after_end() : Bytes();
        std::copy(words.begin(), words.end(), scratch.out.begin() + static_cast<std::ptrdiff_t>(total));
        total += words.size();
    }
    if ((size < room || has_taken_most()) && !outer_.hung_up) direction.readable = false;
    write(direction, BytesView(scratch.out).first(total), size);
    if (size > 0 && kernel_may_take(direction, size == room)) offer_sealing();
}

// What one read of the data connection came to.
struct Relay::Opened {
    std::size_t plaintext = 0;  // bytes in scratch.out
    std::size_t consumed = 0;   // bytes of whole records; the rest is the beginning of the next one
    bool closed = false;        // close_notify was among them
};

Relay::Opened Relay::open_records(BytesView bytes) {
    Opened opened;
    auto& out = resources_.scratch.out;
    while (!opened.closed && bytes.size() - opened.consumed >= tls::record_header_size) {
        const auto rest = bytes.subspan(opened.consumed);
        const auto size = tls::RecordOpener::record_size(rest.first(tls::record_header_size));
        if (size && rest.size() < *size) break;
        const auto record =
            size ? records_->opener.open(rest.first(*size), MutableBytes(out).subspan(opened.plaintext))
                 : tl::unexpected<Error>(size.error());
        if (!record) {
            const bool limit = record.error().code == Errc::limit;
            fail(limit ? RelayEnd::key_used_up : RelayEnd::tampered, record.error().message);
            break;
        }
        opened.consumed += *size;
        opened.plaintext += record->size;
        opened.closed = record->closed;
    }
    return opened;
}

void Relay::open(Direction& direction) {
    auto& scratch = resources_.scratch;
    const auto held = direction.partial.size();
    // What a record has beyond the limit is owed: to read it bit by bit would cost more than it spares.
    const auto missing = rest_of_record(direction.partial);
    const auto wanted = direction.to_boundary ? missing : std::min(read_size, std::max(read_limit_, missing));
    const auto n = ::recv(data_.fd.get(), scratch.in.data() + held, wanted, MSG_DONTWAIT);
    if (n < 0) return no_bytes(direction, errno);
    if (n == 0) {
        fail(RelayEnd::truncated, "the data connection ended without close_notify");
        return;
    }
    if (static_cast<std::size_t>(n) < wanted && !data_.hung_up) direction.readable = false;
    std::copy(direction.partial.begin(), direction.partial.end(), scratch.in.begin());
    take_records(direction, BytesView(scratch.in).first(held + static_cast<std::size_t>(n)));
    const bool full = !direction.to_boundary && static_cast<std::size_t>(n) == wanted;
    if (kernel_may_take(direction, full)) direction.to_boundary = true;
    if (direction.to_boundary && direction.partial.empty() && !direction.source_ended) offer_opening();
}

void Relay::take_records(Direction& direction, BytesView bytes) {
    const auto opened = open_records(bytes);
    if (completing_) return;
    const auto rest = bytes.subspan(opened.consumed);
    // A direction that is idle between two records holds nothing.
    auto& keeper = opened.closed && reuse_ ? reuse_->after_stream : direction.partial;
    keeper = Bytes(rest.begin(), rest.end());
    direction.source_ended = opened.closed;
    if (opened.plaintext > 0)
        write(direction, BytesView(resources_.scratch.out).first(opened.plaintext), opened.plaintext);
}

}  // namespace tunnel::net
