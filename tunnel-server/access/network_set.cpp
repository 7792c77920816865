#include "tunnel-server/access/network_set.hpp"

#include <algorithm>
#include <array>
#include <bit>

namespace tunnel::server {

namespace {

constexpr std::uint32_t v6_root = 0;
constexpr std::uint32_t v4_root = 1;
constexpr unsigned address_bits = 128;
constexpr unsigned v4_first_bit = 96;

// Six bits from bit `at` on; zeros beyond the address's end.
unsigned six_bits(const IpAddress& address, unsigned at) {
    const unsigned byte = at / 8;
    const unsigned high = address.bytes[byte];
    const unsigned low = byte + 1 < address.bytes.size() ? address.bytes[byte + 1] : 0;
    return (((high << 8) | low) >> (10 - at % 8)) & 0x3f;
}

// The place in `inner` of the prefix made of the first `length` of the six bits of `slot`.
constexpr unsigned inner_place(unsigned slot, unsigned length) {
    return (1U << length) - 1 + (slot >> (6 - length));
}

// For each slot all prefixes of 0 to 5 bits that it begins with.
constexpr auto inner_masks = [] {
    std::array<std::uint64_t, 64> masks{};
    for (unsigned slot = 0; slot < masks.size(); ++slot) {
        for (unsigned length = 0; length < 6; ++length)
            masks[slot] |= std::uint64_t{1} << inner_place(slot, length);
    }
    return masks;
}();

}  // namespace

// Networks whose first `first_bit` bits agree and that are longer than that, and the node they go to.
struct NetworkSet::Pending {
    std::span<const Network> networks;
    std::uint32_t node;
    unsigned first_bit;
};

NetworkSet::NetworkSet(std::span<const Network> networks) {
    std::vector<Network> sorted(networks.begin(), networks.end());
    std::sort(sorted.begin(), sorted.end());
    sorted.erase(std::unique(sorted.begin(), sorted.end()), sorted.end());
    size_ = sorted.size();
    const auto v6 = std::stable_partition(sorted.begin(), sorted.end(),
                                          [](const Network& network) { return network.is_v4(); });
    build({sorted.begin(), v6}, v4_root, v4_first_bit);
    build({v6, sorted.end()}, v6_root, 0);
    nodes_.shrink_to_fit();
}

void NetworkSet::build(std::span<const Network> sorted, std::uint32_t root, unsigned first_bit) {
    std::vector<Pending> queue{{sorted, root, first_bit}};
    while (!queue.empty()) {
        const auto next = queue.back();
        queue.pop_back();
        fill(next, queue);
    }
}

void NetworkSet::fill(const Pending& pending, std::vector<Pending>& queue) {
    const auto [networks, at, first_bit] = pending;
    const unsigned last_bit = first_bit + step;
    Node node;
    std::vector<Pending> children;
    for (std::size_t i = 0; i < networks.size();) {
        const auto slot = six_bits(networks[i].address, first_bit);
        const auto prefix = networks[i].prefix;
        if (prefix <= last_bit) {
            if (prefix == last_bit)
                node.leaves |= std::uint64_t{1} << slot;
            else
                node.inner |= std::uint64_t{1} << inner_place(slot, prefix - first_bit);
            ++i;
            continue;
        }
        auto end = i + 1;
        while (end < networks.size() && networks[end].prefix > last_bit &&
               six_bits(networks[end].address, first_bit) == slot)
            ++end;
        node.children |= std::uint64_t{1} << slot;
        children.push_back({networks.subspan(i, end - i), 0, last_bit});
        i = end;
    }
    node.first_child = static_cast<std::uint32_t>(nodes_.size());
    nodes_[at] = node;
    nodes_.resize(nodes_.size() + children.size());
    for (std::size_t i = 0; i < children.size(); ++i) {
        children[i].node = node.first_child + static_cast<std::uint32_t>(i);
        queue.push_back(children[i]);
    }
}

std::optional<unsigned> NetworkSet::longest_match(const IpAddress& address) const {
    std::optional<unsigned> best;
    const bool v4 = address.is_v4();
    const Node* node = &nodes_[v4 ? v4_root : v6_root];
    for (unsigned at = v4 ? v4_first_bit : 0; at < address_bits; at += step) {
        const auto slot = six_bits(address, at);
        const auto bit = std::uint64_t{1} << slot;
        if ((node->leaves & bit) != 0) {
            best = at + step;
        } else if (const auto found = node->inner & inner_masks[slot]; found != 0) {
            const auto place = static_cast<unsigned>(std::bit_width(found)) - 1;
            best = at + static_cast<unsigned>(std::bit_width(place + 1)) - 1;
        }
        if ((node->children & bit) == 0) break;
        node =
            &nodes_[node->first_child + static_cast<std::size_t>(std::popcount(node->children & (bit - 1)))];
    }
    return best;
}

}  // namespace tunnel::server
