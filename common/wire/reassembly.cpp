#include "common/wire/reassembly.hpp"

#include <algorithm>

namespace tunnel::wire {

void put_fragment_header(MutableBytes out, const FragmentHeader& header) {
    put_be32(out.subspan(0, 4), header.id);
    out[4] = static_cast<Byte>(header.kind);
    put_be16(out.subspan(5, 2), header.total);
    put_be16(out.subspan(7, 2), header.piece);
    out[9] = header.index;
}

std::optional<FragmentHeader> decode_fragment(BytesView payload) {
    if (payload.size() <= fragment_header_size) return std::nullopt;
    const FragmentHeader header{get_be32(payload.first(4)), static_cast<FrameKind>(payload[4]),
                                get_be16(payload.subspan(5, 2)), get_be16(payload.subspan(7, 2)), payload[9]};
    const bool sizes = header.piece >= least_piece && header.total > header.piece &&
                       header.total <= max_frame_payload && header.index < header.count() &&
                       payload.size() - fragment_header_size == header.size();
    const bool kind = (header.kind == FrameKind::datagram && header.total <= max_datagram) ||
                      header.kind == FrameKind::first;
    if (!sizes || !kind) return std::nullopt;
    return header;
}

std::optional<Reassembly::Whole> Reassembly::add(std::uint32_t flow, BytesView payload, TimePoint now) {
    expire(now);
    auto header = decode_fragment(payload);
    if (!header || header->total > memory_) return std::nullopt;
    const auto bit = std::uint64_t{1} << header->index;
    const auto at = header->offset();
    header->index = 0;
    const Key key{flow, header->id};
    auto found = by_key_.find(key);
    if (found == by_key_.end()) {
        while (held_ + header->total > memory_) give_up_oldest();
        oldest_first_.push_back({key, *header, 0, header->count(), now, Bytes(header->total)});
        found = by_key_.emplace(key, std::prev(oldest_first_.end())).first;
        held_ += header->total;
    }
    auto& partial = *found->second;
    if (!(partial.like == *header) || (partial.have & bit) != 0) return std::nullopt;
    const auto part = payload.subspan(fragment_header_size);
    std::copy(part.begin(), part.end(), partial.bytes.begin() + static_cast<std::ptrdiff_t>(at));
    partial.have |= bit;
    if (--partial.missing > 0) return std::nullopt;
    Whole whole{partial.like.kind, std::move(partial.bytes)};
    held_ -= whole.payload.size();
    oldest_first_.erase(found->second);
    by_key_.erase(found);
    return whole;
}

void Reassembly::expire(TimePoint now) {
    while (!oldest_first_.empty() && now - oldest_first_.front().begun > patience) give_up_oldest();
}

void Reassembly::give_up_oldest() {
    auto& oldest = oldest_first_.front();
    held_ -= oldest.like.total;
    ++lost_;
    by_key_.erase(oldest.key);
    oldest_first_.pop_front();
}

}  // namespace tunnel::wire
