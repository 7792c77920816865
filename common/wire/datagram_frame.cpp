#include "common/wire/datagram_frame.hpp"

#include <algorithm>

#include "common/wire/reassembly.hpp"

namespace tunnel::wire {

namespace {

struct Lengths {
    std::size_t least;
    std::size_t most;
};

std::optional<Lengths> lengths_of(Byte kind) {
    switch (static_cast<FrameKind>(kind)) {
        case FrameKind::padding:
            return Lengths{0, 0xffff};
        case FrameKind::datagram:
            return Lengths{0, max_datagram};
        case FrameKind::first:
            return Lengths{visitor_address_size, max_frame_payload};
        case FrameKind::closed:
            return Lengths{1, 1};
        case FrameKind::fragment:
            return Lengths{fragment_header_size + 1, max_frame_payload};
        case FrameKind::ping:
            return Lengths{0, 0};
        case FrameKind::pong:
            return Lengths{2, 2};
    }
    return std::nullopt;
}

// The size of the frame whose header this is.
Result<std::size_t> frame_size(BytesView header) {
    const std::size_t size = get_be16(header.subspan(5, 2));
    const auto lengths = lengths_of(header[0]);
    if (!lengths) return fail(Errc::protocol, "a datagram frame of the unknown kind {}", header[0]);
    if (size < lengths->least || size > lengths->most)
        return fail(Errc::protocol, "a datagram frame of kind {} has {} bytes", header[0], size);
    return datagram_header_size + size;
}

}  // namespace

void put_frame_header(MutableBytes out, FrameKind kind, std::uint32_t flow, std::size_t size) {
    out[0] = static_cast<Byte>(kind);
    put_be32(out.subspan(1, 4), flow);
    put_be16(out.subspan(5, 2), static_cast<std::uint16_t>(size));
}

void append_frame(Bytes& out, const DatagramFrame& frame) {
    std::array<Byte, datagram_header_size> header;
    put_frame_header(header, frame.kind, frame.flow, frame.payload.size());
    append(out, header);
    append(out, frame.payload);
}

Result<std::optional<DatagramFrame>> take_frame(BytesView& bytes) {
    if (bytes.size() < datagram_header_size) return std::nullopt;
    const auto size = frame_size(bytes);
    if (!size) return pass(size.error());
    if (bytes.size() < *size) return std::nullopt;
    const DatagramFrame frame{static_cast<FrameKind>(bytes[0]), get_be32(bytes.subspan(1, 4)),
                              bytes.subspan(datagram_header_size, *size - datagram_header_size)};
    bytes = bytes.subspan(*size);
    return frame;
}

std::array<Byte, visitor_address_size> encode(const VisitorAddress& visitor) {
    std::array<Byte, visitor_address_size> out;
    std::copy(visitor.ip.bytes.begin(), visitor.ip.bytes.end(), out.begin());
    put_be16(MutableBytes(out).subspan(16, 2), visitor.port);
    return out;
}

VisitorAddress decode_visitor_address(BytesView bytes) {
    VisitorAddress visitor;
    std::copy_n(bytes.begin(), visitor.ip.bytes.size(), visitor.ip.bytes.begin());
    visitor.port = get_be16(bytes.subspan(16, 2));
    return visitor;
}

Result<bool> DatagramReader::complete(BytesView& bytes) {
    const auto take_up_to = [&](std::size_t size) {
        const auto missing = size - std::min(size, held_.size());
        const auto part = bytes.first(std::min(missing, bytes.size()));
        append(held_, part);
        bytes = bytes.subspan(part.size());
        return held_.size() >= size;
    };
    if (!take_up_to(datagram_header_size)) return false;
    const auto size = frame_size(held_);
    if (!size) return pass(size.error());
    return take_up_to(*size);
}

Status DatagramReader::check_kind(FrameKind kind) {
    if (kind == FrameKind::datagram || kind == FrameKind::first || kind == FrameKind::closed) return {};
    return fail(Errc::protocol, "a datagram frame of kind {} does not belong into a data connection",
                static_cast<int>(kind));
}

}  // namespace tunnel::wire
