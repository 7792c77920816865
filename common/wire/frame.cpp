#include "common/wire/frame.hpp"

#include <array>

namespace tunnel::wire {

void append_frame(Bytes& out, BytesView payload) {
    std::array<Byte, frame_header_size> header{};
    put_be32(header, static_cast<std::uint32_t>(payload.size()));
    append(out, header);
    append(out, payload);
}

void FrameReader::feed(BytesView bytes) {
    // Drop what was handed out, here and nowhere else: a peer that always ends its writes inside a header
    // would slip past a clean-up that waits for an empty buffer or for an incomplete payload.
    buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(consumed_));
    consumed_ = 0;
    append(buffer_, bytes);
}

Result<std::optional<Bytes>> FrameReader::next() {
    const BytesView rest = BytesView(buffer_).subspan(consumed_);
    if (rest.size() < frame_header_size) return std::nullopt;
    const std::size_t size = get_be32(rest.first(frame_header_size));
    if (size > limit_)
        return fail(
            Errc::limit,
            "a frame of {} bytes exceeds the limit of {} bytes: the other end is broken or not a tunnel",
            size, limit_);
    if (rest.size() < frame_header_size + size) return std::nullopt;
    const auto payload = rest.subspan(frame_header_size, size);
    consumed_ += frame_header_size + size;
    return Bytes(payload.begin(), payload.end());
}

}  // namespace tunnel::wire
