// The frame codec under any chunking against the plainest reading of the format.
#include "common/wire/frame.hpp"

#include "tests/fuzz/fuzz_input.hpp"

using namespace tunnel;

namespace {

struct Outcome {
    std::vector<Bytes> frames;
    bool refused = false;
    bool operator==(const Outcome&) const = default;
};

Outcome read_plainly(BytesView stream, std::size_t limit) {
    Outcome out;
    while (stream.size() >= 4) {
        const std::size_t size = get_be32(stream.first(4));
        if (size > limit) {
            out.refused = true;
            return out;
        }
        if (stream.size() - 4 < size) return out;
        const auto payload = stream.subspan(4, size);
        out.frames.emplace_back(payload.begin(), payload.end());
        stream = stream.subspan(4 + size);
    }
    return out;
}

Outcome read_in_pieces(BytesView stream, BytesView plan, std::size_t limit) {
    Outcome out;
    wire::FrameReader reader(limit);
    fuzz::in_pieces(stream, plan, [&](BytesView piece) {
        reader.feed(piece);
        for (;;) {
            auto frame = reader.next();
            if (!frame) {
                fuzz::require(frame.error().code == Errc::limit, "a frame fails for its size alone");
                out.refused = true;
                return false;
            }
            if (!*frame) return true;
            out.frames.push_back(std::move(**frame));
        }
    });
    return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::FuzzInput input(data, size);
    const std::size_t limit = std::size_t{input.byte()} * 4;
    const auto plan = input.take(input.byte() % 8);
    const auto stream = input.take_rest();
    const auto expected = read_plainly(stream, limit);
    fuzz::require(read_in_pieces(stream, plan, limit) == expected, "chunking does not change the frames");

    Bytes again;
    for (const auto& frame : expected.frames) wire::append_frame(again, frame);
    fuzz::require(std::equal(again.begin(), again.end(), stream.begin()),
                  "frames encode to what they came from");
    return 0;
}
