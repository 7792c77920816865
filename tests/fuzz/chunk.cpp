// Chunks: whatever comes, the reader keeps within what it was given, and cutting changes nothing.

#include "common/wire/chunk.hpp"

#include <algorithm>

#include "tests/fuzz/fuzz_input.hpp"

namespace {

using namespace tunnel;

struct Outcome {
    Bytes payload;
    Bytes after;
    bool refused = false;
    bool operator==(const Outcome&) const = default;
};

Outcome read(Bytes bytes, std::size_t piece_size) {
    wire::ChunkReader reader;
    Outcome out;
    for (std::size_t at = 0; at < bytes.size(); at += piece_size) {
        const auto piece = MutableBytes(bytes).subspan(at, std::min(piece_size, bytes.size() - at));
        const auto got = reader.read(piece);
        if (!got) {
            out.refused = true;
            break;
        }
        fuzz::require(got->payload + got->after <= piece.size(), "nothing is made up");
        append(out.payload, piece.first(got->payload));
        append(out.after, piece.last(got->after));
    }
    return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const Bytes bytes(data, data + size);
    const auto whole = read(bytes, std::max<std::size_t>(size, 1));
    const auto cut = read(bytes, 1);
    // A refusal takes with it what stands before it in the same piece.
    fuzz::require(whole.refused == cut.refused, "what is refused does not depend on how it is cut");
    fuzz::require(whole.refused || whole == cut, "what is read does not depend on how it is cut");
    return 0;
}
