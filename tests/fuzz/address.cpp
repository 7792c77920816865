// Addresses, networks and ports as people write them.
#include "common/core/address.hpp"

#include "common/core/names.hpp"
#include "tests/fuzz/fuzz_input.hpp"

using namespace tunnel;

namespace {

bool printable(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](unsigned char c) { return c > ' ' && c < 0x7f; });
}

void check_host_port(std::string_view text) {
    const auto refused_zero = parse_host_port(text);
    const auto address = parse_host_port(text, PortZero::allowed);
    if (!address) {
        fuzz::require(!refused_zero, "what is refused with port 0 is refused without");
        return;
    }
    fuzz::require(refused_zero.has_value() == (address->port != 0), "port 0 is the only difference");
    fuzz::require(printable(address->host) && !address->host.empty(), "a host is a visible word");
    const auto again = parse_host_port(to_string(*address), PortZero::allowed);
    fuzz::require(again && *again == *address, "an address survives a round trip");
}

void check_network(std::string_view text) {
    const auto ip = parse_ip(text);
    if (ip) {
        fuzz::require(printable(text), "an IP address is a visible word");
        const auto again = parse_ip(to_string(*ip));
        fuzz::require(again && *again == *ip, "an IP address survives a round trip");
    }
    const auto network = parse_network(text);
    fuzz::require(!ip || network, "an IP address is a network of one");
    if (!network) return;
    fuzz::require(network->prefix <= 128, "a prefix has at most 128 bits");
    fuzz::require(network->contains(network->address), "a network contains its own address");
    const auto again = parse_network(to_string(*network));
    fuzz::require(again && *again == *network, "a network survives a round trip");
    if (network->prefix == 0) return;
    auto outside = network->address;
    outside.bytes[(network->prefix - 1) / 8] ^=
        static_cast<std::uint8_t>(0x80 >> ((network->prefix - 1) % 8));
    fuzz::require(!network->contains(outside), "the last bit of the prefix counts");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto text = text_of({data, size});
    check_host_port(text);
    check_network(text);
    if (const auto range = parse_port_range(text)) {
        fuzz::require(range->first >= 1 && range->first <= range->last, "a port range is in order");
        const auto again = parse_port_range(to_string(*range));
        fuzz::require(again && *again == *range, "a port range survives a round trip");
    }
    if (check_name("client", text))
        fuzz::require(printable(text) && text.size() <= 63, "a name is a visible word");
    return 0;
}
