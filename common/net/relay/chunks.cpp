// How a plain data connection begins that may be used again after its stream, and when it may be.

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "common/net/relay/relay.hpp"

namespace tunnel::net {

void Relay::set_reusable(Again again) {
    reuse_ = std::make_unique<Reuse>();
    reuse_->again = std::move(again);
}

bool Relay::in_chunks(const Direction& direction) const {
    if (!reuse_ || records_) return false;
    return &direction == &outward_in_ ? !reuse_->out.as_is() : !reuse_->in.as_is();
}

void Relay::write_chunk(Direction& direction, MutableBytes buffer, std::size_t size) {
    const auto header = reuse_->out.header(size);
    std::copy(header.begin(), header.end(), buffer.begin());
    write(direction, buffer.first(header.size() + size), size);
}

void Relay::read_chunks(Direction& direction, MutableBytes bytes) {
    const auto read = reuse_->in.read(bytes);
    if (!read) {
        fail(RelayEnd::tampered, read.error().message);
        return;
    }
    if (read->payload > 0) write(direction, bytes.first(read->payload), read->payload);
    if (!reuse_->in.ended()) return;
    direction.source_ended = true;
    const auto after = bytes.last(read->after);
    reuse_->after_stream.assign(after.begin(), after.end());
}

// The source's end of stream, which the data connection has for its own end only where there are no chunks.
void Relay::end_of_source(Direction& direction) {
    const bool chunks = in_chunks(direction);
    if (chunks && &direction == &data_in_) {
        fail(RelayEnd::truncated, "the data connection ended within its stream");
        return;
    }
    direction.source_ended = true;
    if (!chunks) return;
    Bytes words(wire::ChunkWriter::end.begin(), wire::ChunkWriter::end.end());
    if (data_in_.ended) append(words, words_after_end());
    write(direction, words, 0);
}

bool Relay::can_be_used_again() const {
    if (!reuse_ || failure_ || kernel_ || !data_.watched) return false;
    return records_ || (in_chunks(outward_in_) && in_chunks(data_in_));
}

Bytes Relay::words_after_end() {
    if (!can_be_used_again() || !reuse_->again) return {};
    return std::exchange(reuse_->again, nullptr)();
}

// Its words after the end prove it: they are not said before. What is left is between this end and the outer
// socket's peer.
bool Relay::other_end_is_done() {
    if (!reuse_ || !data_in_.source_ended || !outward_in_.ended) return false;
    auto& words = reuse_->after_stream;
    Byte first = 0;
    if (words.empty() && ::recv(data_.fd.get(), &first, 1, MSG_DONTWAIT) == 1) words.push_back(first);
    return !words.empty();
}

// The stream is complete: should the data connection break now, only that one is lost.
void Relay::say_again() {
    const auto words = words_after_end();
    if (words.empty()) return;
    const auto n = ::send(data_.fd.get(), words.data(), words.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK) {
        reuse_.reset();
        return;
    }
    const auto left = BytesView(words).subspan(static_cast<std::size_t>(std::max<ssize_t>(n, 0)));
    if (left.empty()) return;
    outward_in_.rest.assign(left.begin(), left.end());
    wait_for_room(outward_in_);
}

}  // namespace tunnel::net
