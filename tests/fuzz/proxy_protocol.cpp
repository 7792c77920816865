// PROXY headers, versions 1 and 2.
#include "common/wire/proxy_protocol.hpp"

#include "tests/fuzz/fuzz_input.hpp"

using namespace tunnel;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const BytesView bytes(data, size);
    const auto parsed = wire::parse_proxy_header(bytes);
    if (!parsed) return 0;
    if (!*parsed) {
        fuzz::require(size < wire::max_proxy_header, "more is asked for below the maximum only");
        return 0;
    }
    const auto& [header, used] = **parsed;
    fuzz::require(used > 0 && used <= size && used <= wire::max_proxy_header,
                  "a header is within its bounds");
    fuzz::require(wire::well_formed_tlvs(header.tlvs), "what is kept of the entries is whole entries");
    for (std::size_t i = 0; i < used; ++i) {
        const auto part = wire::parse_proxy_header(bytes.first(i));
        fuzz::require(part && !*part, "a header is complete with its last byte and not before");
    }
    const auto encoded = wire::encode(header);
    const auto again = wire::parse_proxy_header(encoded);
    fuzz::require(again && *again && (*again)->size == encoded.size(), "an encoded header is one header");
    fuzz::require((*again)->header == header, "a header survives a round trip");
    return 0;
}
