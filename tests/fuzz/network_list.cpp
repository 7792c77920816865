// Lists of networks, and the set that is built of them against the obvious search.
#include "tunnel-server/access/network_list.hpp"

#include "tests/fuzz/fuzz_input.hpp"
#include "tunnel-server/access/network_set.hpp"

using namespace tunnel;

namespace {

std::optional<unsigned> obvious(const std::vector<Network>& networks, const IpAddress& address) {
    std::optional<unsigned> best;
    for (const auto& network : networks) {
        if (network.contains(address)) best = std::max(best, std::optional(network.prefix));
    }
    return best;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto text = text_of({data, size});
    auto networks = server::parse_network_list(text, "list");
    if (!networks) {
        fuzz::require(networks.error().message.starts_with("list, line "), "an error names the line");
        return 0;
    }
    if (networks->size() > 64) networks->resize(64);
    const server::NetworkSet set(*networks);
    for (const auto& network : *networks) {
        auto address = network.address;
        for (std::size_t bit = 0; bit < 128; bit += 7) {
            fuzz::require(set.longest_match(address) == obvious(*networks, address),
                          "the set finds what the obvious search finds");
            address.bytes[bit / 8] ^= static_cast<std::uint8_t>(0x80 >> (bit % 8));
        }
    }
    return 0;
}
