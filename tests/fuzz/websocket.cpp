// WebSocket frames, as either end reads them, whole and in pieces. The first byte chooses the end, the second
// how many bytes of cutting plan follow.
#include "common/wire/websocket.hpp"

#include "tests/fuzz/fuzz_input.hpp"

using namespace tunnel;

namespace {

struct Read {
    bool good = true;
    wire::WebSocketInput input;
};

Read read(wire::End end, BytesView stream, BytesView plan) {
    Read out;
    wire::WebSocketReader reader(end);
    fuzz::in_pieces(stream, plan, [&](BytesView piece) {
        out.good = static_cast<bool>(reader.feed(piece, out.input));
        return out.good;
    });
    return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::FuzzInput input(data, size);
    const auto end = (input.byte() & 1) != 0 ? wire::End::server : wire::End::client;
    const auto plan = input.take(input.byte() % 8);
    const auto stream = input.take_rest();

    const auto whole = read(end, stream, {});
    const auto pieces = read(end, stream, plan);
    fuzz::require(whole.good == pieces.good, "cutting changes no verdict");
    fuzz::require(whole.input.data == pieces.input.data, "cutting changes no byte");
    fuzz::require(whole.input.ended == pieces.input.ended && whole.input.closed == pieces.input.closed &&
                      whole.input.ping == pieces.input.ping,
                  "cutting changes no sign");
    fuzz::require(whole.input.data.size() <= stream.size(), "no byte is made up");
    fuzz::require(!whole.input.ping || whole.input.ping->size() <= wire::max_websocket_control,
                  "a ping is limited");

    // What we would write of these bytes is read as they are.
    Bytes frames;
    const auto mask =
        end == wire::End::server ? std::optional(wire::WebSocketMask{1, 2, 3, 4}) : std::nullopt;
    if (!stream.empty()) wire::append_websocket_frame(frames, wire::WebSocketOpcode::binary, stream, mask);
    wire::append_websocket_frame(frames, wire::WebSocketOpcode::binary, {}, mask);
    wire::append_websocket_close(frames, 1000, mask);
    const auto again = read(end, frames, plan);
    fuzz::require(again.good && again.input.ended && again.input.closed, "what is written is read");
    fuzz::require(std::equal(again.input.data.begin(), again.input.data.end(), stream.begin(), stream.end()),
                  "a stream survives its frames");
    return 0;
}
