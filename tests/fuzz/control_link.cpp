// A control connection as either end sees it: hello, frames, messages and their order, in any chunking.
#include "common/wire/control_link.hpp"

#include "tests/fuzz/fuzz_input.hpp"

using namespace tunnel;

namespace {

constexpr TimePoint start = TimePoint(std::chrono::hours(1000));

struct Outcome {
    std::vector<wire::ControlMessage> messages;
    Bytes output;
    std::optional<Errc> error;
    bool established = false;
    bool operator==(const Outcome&) const = default;
};

Bytes framed(const wire::ControlMessage& message) {
    Bytes out;
    wire::append_frame(out, wire::encode(message));
    return out;
}

// Says what has to be said before the fuzzed bytes: nothing, the hello, or everything up to the login's end.
void prepare(wire::ControlLink& link, wire::End end, unsigned phase) {
    std::vector<wire::ControlMessage> ignored;
    if (phase >= 1)
        fuzz::require(link.receive(wire::encode_hello(), start, ignored).has_value(), "a hello is fine");
    if (end == wire::End::client && phase >= 2) link.send(wire::Login{});
    if (end == wire::End::client && phase >= 3)
        fuzz::require(link.receive(framed(wire::LoginAccepted{}), start, ignored).has_value(),
                      "so is its answer");
    if (end == wire::End::server && phase >= 2)
        fuzz::require(link.receive(framed(wire::Login{}), start, ignored).has_value(), "a login is fine");
    if (end == wire::End::server && phase >= 3) link.send(wire::LoginAccepted{});
    (void)link.take_output();
}

Outcome run(wire::End end, unsigned phase, BytesView stream, BytesView plan) {
    wire::ControlLink link(end, {}, start);
    prepare(link, end, phase);
    Outcome out;
    fuzz::in_pieces(stream, plan, [&](BytesView piece) {
        const auto status = link.receive(piece, start + Seconds(1), out.messages);
        if (!status) out.error = status.error().code;
        return status.has_value();
    });
    out.output = link.take_output();
    out.established = link.established();
    if (!out.error) {
        fuzz::require(link.tick(std::max(link.deadline(), start)).has_value() || !link.established(),
                      "an established link pings before it gives up");
    }
    return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::FuzzInput input(data, size);
    const auto choice = input.byte();
    const auto end = (choice & 1) == 0 ? wire::End::server : wire::End::client;
    const unsigned phase = (choice >> 1) & 3;
    const auto plan = input.take(1 + input.byte() % 8);
    const auto stream = input.take_rest();
    const auto whole = run(end, phase, stream, {});
    fuzz::require(run(end, phase, stream, plan) == whole, "chunking does not change the conversation");
    fuzz::require(end == wire::End::client || whole.established == (phase == 3),
                  "a server is established by its own acceptance alone");
    for (const auto& message : whole.messages) {
        const auto again = wire::decode(wire::encode(message));
        fuzz::require(again && *again == message, "what was received can be sent on");
    }
    return 0;
}
