// The heads of a data connection, both ways.
#include "common/wire/stream_head.hpp"

#include "tests/fuzz/fuzz_input.hpp"

using namespace tunnel;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const BytesView bytes(data, size);
    const auto open = wire::decode_stream_open(bytes);
    const auto answer = wire::decode_stream_answer(bytes);
    fuzz::require(size <= wire::max_stream_head || (!open && !answer), "long heads are refused");
    if (open) {
        const auto encoded = wire::encode(*open);
        const auto again = wire::decode_stream_open(encoded);
        fuzz::require(encoded.size() <= wire::max_stream_head, "an encoded head is within its maximum");
        fuzz::require(again && *again == *open, "a stream's opening survives a round trip");
    }
    if (answer) {
        const auto again = wire::decode_stream_answer(wire::encode(*answer));
        fuzz::require(again && *again == *answer, "an answer survives a round trip");
    }
    return 0;
}
