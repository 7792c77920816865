// Fragments of datagrams: raw bytes, and genuine fragments in an order of the input's choice.
#include "common/wire/reassembly.hpp"

#include "tests/fuzz/fuzz_input.hpp"

using namespace tunnel;

namespace {

constexpr std::size_t memory = 200'000;
const TimePoint start{Seconds(1000)};

void add_raw(fuzz::FuzzInput& input) {
    wire::Reassembly reassembly(memory);
    const auto fragment = input.take_rest();
    const auto header = wire::decode_fragment(fragment);
    if (header) {
        fuzz::require(header->count() >= 2 && header->count() <= wire::most_pieces,
                      "a datagram has few parts");
        fuzz::require(header->offset() + header->size() <= header->total, "a part lies within the whole");
    }
    fuzz::require(!reassembly.add(1, fragment, start), "one fragment is no datagram");
    fuzz::require(reassembly.held() <= memory, "memory is bounded");
}

void add_script(fuzz::FuzzInput& input) {
    wire::Reassembly reassembly(memory);
    const std::size_t piece = wire::least_piece + std::size_t{input.byte()} * 20;
    const std::size_t size = std::min(piece + 1 + std::size_t{input.byte()} * 200, wire::max_datagram);
    Bytes datagram(size);
    for (std::size_t i = 0; i < size; ++i) datagram[i] = static_cast<Byte>(i * 7 + i / 251);
    wire::FragmentHeader header{1, wire::FrameKind::datagram, static_cast<std::uint16_t>(size),
                                static_cast<std::uint16_t>(piece), 0};
    std::vector<bool> given(header.count());
    auto now = start;
    bool expired = false;
    while (!input.empty()) {
        const auto step = input.byte();
        if (step == 0x80) {
            now += wire::Reassembly::patience + Millis(1);
            expired = true;
            continue;
        }
        header.index = static_cast<std::uint8_t>(step % header.count());
        Bytes fragment(wire::fragment_header_size);
        wire::put_fragment_header(fragment, header);
        append(fragment, BytesView(datagram).subspan(header.offset(), header.size()));
        given[header.index] = true;
        const auto whole = reassembly.add(1, fragment, now);
        fuzz::require(reassembly.held() <= memory, "memory is bounded");
        const bool all = std::find(given.begin(), given.end(), false) == given.end();
        fuzz::require(!whole || all, "a datagram is whole when all its parts were there");
        fuzz::require(expired || whole.has_value() == all, "all its parts make a datagram");
        fuzz::require(!whole || whole->payload == datagram, "the datagram is what was sent");
        if (whole) return;
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::FuzzInput input(data, size);
    if (input.byte() % 2 == 0)
        add_raw(input);
    else
        add_script(input);
    return 0;
}
