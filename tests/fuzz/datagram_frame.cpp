// Datagram frames of a data connection under any chunking against the plainest reading of the format.
#include "common/wire/datagram_frame.hpp"

#include "tests/fuzz/fuzz_input.hpp"

using namespace tunnel;

namespace {

struct Outcome {
    Bytes frames;  // encoded again
    bool refused = false;
    bool operator==(const Outcome&) const = default;
};

bool plausible(Byte kind, std::size_t size) {
    switch (kind) {
        case 1:
            return size <= 65'507;
        case 2:
            return size >= 18 && size <= 65'525;
        case 3:
            return size == 1;
        default:
            return false;
    }
}

Outcome read_plainly(BytesView stream) {
    Outcome out;
    while (stream.size() >= 7) {
        const std::size_t size = get_be16(stream.subspan(5, 2));
        // What travels in packets only is refused once it is there; here that makes no difference but in
        // time.
        const bool packet_kind = stream[0] == 0 || (stream[0] == 4 && size > 10 && size <= 65'525) ||
                                 (stream[0] == 5 && size == 0) || (stream[0] == 6 && size == 2);
        if (!packet_kind && !plausible(stream[0], size)) {
            out.refused = true;
            return out;
        }
        if (stream.size() < 7 + size) return out;
        if (packet_kind) {
            out.refused = true;
            return out;
        }
        append(out.frames, stream.first(7 + size));
        stream = stream.subspan(7 + size);
    }
    return out;
}

Outcome read_in_pieces(BytesView stream, BytesView plan) {
    Outcome out;
    wire::DatagramReader reader;
    fuzz::in_pieces(stream, plan, [&](BytesView piece) {
        const auto ok = reader.read(
            piece, [&out](const wire::DatagramFrame& frame) { wire::append_frame(out.frames, frame); });
        fuzz::require(reader.held() <= wire::max_frame_payload + wire::datagram_header_size,
                      "at most one frame is held");
        out.refused = !ok;
        return ok.has_value();
    });
    return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::FuzzInput input(data, size);
    const auto plan = input.take(input.byte() % 8);
    const auto stream = input.take_rest();
    fuzz::require(read_in_pieces(stream, plan) == read_plainly(stream),
                  "chunking does not change the frames");
    return 0;
}
