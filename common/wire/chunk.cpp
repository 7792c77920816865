#include "common/wire/chunk.hpp"

#include <algorithm>

namespace tunnel::wire {

namespace {

constexpr std::uint16_t no_chunks_any_more = 0xffff;
constexpr std::uint16_t max_chunk = 0x7fff;
static_assert(ChunkWriter::bulk <= max_chunk);

ChunkHeader to_header(std::uint16_t value) {
    return {static_cast<Byte>(value >> 8U), static_cast<Byte>(value)};
}

}  // namespace

ChunkHeader ChunkWriter::header(std::size_t size) {
    as_is_ = size >= bulk || chunks_ == most_chunks;
    ++chunks_;
    return to_header(as_is_ ? no_chunks_any_more : static_cast<std::uint16_t>(size));
}

Result<ChunkReader::Read> ChunkReader::read(MutableBytes bytes) {
    Read out;
    std::size_t at = 0;
    const auto keep = [&](std::size_t size) {
        if (at != out.payload)
            std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), size,
                        bytes.begin() + static_cast<std::ptrdiff_t>(out.payload));
        out.payload += size;
        at += size;
    };
    while (at < bytes.size() && state_ == State::chunks) {
        if (left_ > 0) {
            const auto size = std::min<std::size_t>(left_, bytes.size() - at);
            keep(size);
            left_ = static_cast<std::uint16_t>(left_ - size);
            continue;
        }
        const auto byte = bytes[at++];
        if (!half_header_) {
            first_ = byte;
            half_header_ = true;
            continue;
        }
        half_header_ = false;
        const auto value = static_cast<std::uint16_t>(first_ << 8U | byte);
        if (value == 0)
            state_ = State::ended;
        else if (value == no_chunks_any_more)
            state_ = State::as_is;
        else if (value <= max_chunk)
            left_ = value;
        else
            return fail(Errc::protocol, "the other end sent {} as the size of a chunk", value);
    }
    if (state_ == State::as_is)
        keep(bytes.size() - at);
    else
        out.after = bytes.size() - at;
    return out;
}

}  // namespace tunnel::wire
