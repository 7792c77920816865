// The receiving end of the packet way: genuine packets whose content is the input's.
#include "common/net/datagram/packet_link.hpp"

#include "tests/fuzz/fuzz_input.hpp"

using namespace tunnel;

namespace {

const TimePoint start{Seconds(1000)};

tls::DirectionKeys keys_of(Byte fill) {
    return tls::DirectionKeys(Cipher::aes_128_gcm, Bytes(20, fill));
}

struct Sink final : net::FrameSink {
    void on_frame(const wire::DatagramFrame& frame) override {
        fuzz::require(frame.kind == wire::FrameKind::datagram || frame.kind == wire::FrameKind::first ||
                          frame.kind == wire::FrameKind::closed,
                      "only datagrams are handed over");
        fuzz::require(frame.payload.size() <= wire::max_frame_payload, "a datagram has a largest size");
        fuzz::require(
            frame.kind != wire::FrameKind::first || frame.payload.size() >= wire::visitor_address_size,
            "a first datagram names its visitor");
    }
    void on_batch_end() override {}
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const auto factory = tls::AeadFactory::best();
    fuzz::FuzzInput input(data, size);
    tls::PacketSealer peer(factory, keys_of(1), 7);
    net::PacketLink link(factory, {keys_of(2), keys_of(1)}, 7, net::PacketLink::Role::answers, start);
    Sink sink;
    auto now = start;
    while (!input.empty()) {
        const auto content = input.take(std::size_t{input.byte()} * 8);
        Bytes packet(tls::packet_overhead + content.size());
        std::copy(content.begin(), content.end(), packet.begin() + tls::packet_header_size);
        fuzz::require(peer.seal(packet), "a packet is sealed");
        fuzz::require(link.receive(packet, sink, now) != net::PacketLink::Heard::nothing,
                      "a genuine packet is taken");
        link.release();
        now += Millis(input.byte());
        link.tick(now);
        auto& answers = link.seal();
        std::size_t total = 0;
        for (const auto packet_size : answers.sizes) {
            fuzz::require(packet_size <= net::PacketLink::largest_packet, "a packet has a largest size");
            total += packet_size;
        }
        fuzz::require(total == answers.bytes.size(), "packets stand one after the other");
        answers.clear();
    }
    return 0;
}
