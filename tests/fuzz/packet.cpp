// Sealed packets: raw bytes, and genuine ones that were altered or sent again.
#include "common/tls/packet.hpp"

#include <set>

#include "tests/fuzz/fuzz_input.hpp"

using namespace tunnel;
using Verdict = tls::PacketOpener::Verdict;

namespace {

tls::DirectionKeys some_keys() {
    return tls::DirectionKeys(Cipher::aes_128_gcm, Bytes(20, 0x11));
}

Bytes make_packet(tls::PacketSealer& sealer, std::size_t size, Byte fill) {
    Bytes packet(tls::packet_overhead + size, fill);
    fuzz::require(sealer.seal(packet), "a packet is sealed");
    fuzz::require(tls::packet_path(packet) == 7U, "a packet names its path");
    return packet;
}

void open_raw(fuzz::FuzzInput& input, const tls::AeadFactory& factory) {
    const auto raw = input.take_rest();
    if (!tls::packet_path(raw)) return;
    Bytes packet(raw.begin(), raw.end());
    tls::PacketOpener opener(factory, some_keys());
    fuzz::require(opener.open(packet).verdict == Verdict::forged, "nobody guesses a tag");
}

void open_altered(fuzz::FuzzInput& input, const tls::AeadFactory& factory) {
    tls::PacketSealer sealer(factory, some_keys(), 7);
    const auto genuine = make_packet(sealer, input.byte(), input.byte());
    auto packet = genuine;
    while (!input.empty()) {
        const auto at = (std::size_t{input.byte()} * 256 + input.byte()) % packet.size();
        packet[at] = static_cast<Byte>(packet[at] ^ input.byte());
    }
    const bool intact = packet == genuine;
    tls::PacketOpener opener(factory, some_keys());
    fuzz::require((opener.open(packet).verdict == Verdict::opened) == intact,
                  "what nobody touched opens, and nothing else");
}

void open_again(fuzz::FuzzInput& input, const tls::AeadFactory& factory) {
    tls::PacketSealer sealer(factory, some_keys(), 7);
    std::vector<Bytes> packets;
    for (unsigned count = 1 + input.byte() % 16; count > 0; --count)
        packets.push_back(make_packet(sealer, count, static_cast<Byte>(count)));
    tls::PacketOpener opener(factory, some_keys());
    std::set<std::size_t> seen;
    while (!input.empty()) {
        const auto at = input.byte() % packets.size();
        auto packet = packets[at];
        const auto expected = seen.insert(at).second ? Verdict::opened : Verdict::replayed;
        fuzz::require(opener.open(packet).verdict == expected, "each packet opens once");
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const auto factory = tls::AeadFactory::best();
    fuzz::FuzzInput input(data, size);
    switch (input.byte() % 3) {
        case 0:
            open_raw(input, factory);
            break;
        case 1:
            open_altered(input, factory);
            break;
        default:
            open_again(input, factory);
    }
    return 0;
}
