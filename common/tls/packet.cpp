#include "common/tls/packet.hpp"

#include <algorithm>

namespace tunnel::tls {

std::optional<std::uint32_t> packet_path(BytesView packet) {
    if (packet.size() < packet_overhead || packet[0] != packet_version || packet[1] != 0 || packet[2] != 0 ||
        packet[3] != 0)
        return std::nullopt;
    return get_be32(packet.subspan(4, 4));
}

PacketSealer::PacketSealer(const AeadFactory& factory, const DirectionKeys& keys, std::uint32_t path,
                           std::uint64_t limit)
    : aead_(factory.make(keys.cipher(), keys.key())), path_(path), limit_(limit) {
    std::copy_n(keys.iv().begin(), iv_size(Cipher::aes_128_gcm), nonce_.begin());
}

bool PacketSealer::seal(MutableBytes packet) {
    if (used_up()) return false;
    const auto header = packet.first(packet_header_size);
    put_be32(header.first(4), std::uint32_t{packet_version} << 24);
    put_be32(header.subspan(4, 4), path_);
    put_be64(header.subspan(8, 8), counter_);
    put_be64(MutableBytes(nonce_).subspan(4, 8), counter_);
    ++counter_;
    used_ += 1 + packet.size() / counted_packet_size;
    const auto body = packet.subspan(packet_header_size);
    return aead_->seal(nonce_, header, body.first(body.size() - aead_tag_size), body);
}

PacketOpener::PacketOpener(const AeadFactory& factory, const DirectionKeys& keys)
    : aead_(factory.make(keys.cipher(), keys.key())) {
    std::copy_n(keys.iv().begin(), iv_size(Cipher::aes_128_gcm), nonce_.begin());
}

PacketOpener::Opened PacketOpener::open(MutableBytes packet) {
    const auto header = packet.first(packet_header_size);
    const auto counter = get_be64(header.subspan(8, 8));
    if (!window_.fresh(counter)) return {Verdict::replayed, {}, false};
    put_be64(MutableBytes(nonce_).subspan(4, 8), counter);
    const auto body = packet.subspan(packet_header_size);
    const auto plaintext = body.first(body.size() - aead_tag_size);
    if (!aead_->open(nonce_, header, body, plaintext)) return {Verdict::forged, {}, false};
    (void)window_.accept(counter);
    const bool newest = counter >= newest_;
    newest_ = std::max(newest_, counter);
    return {Verdict::opened, plaintext, newest};
}

}  // namespace tunnel::tls
