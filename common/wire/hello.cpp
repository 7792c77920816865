#include "common/wire/hello.hpp"

#include <algorithm>

namespace tunnel::wire {

namespace {
constexpr std::string_view magic = "TNLC";
}

std::array<Byte, hello_size> encode_hello(Versions versions) {
    std::array<Byte, hello_size> out{};
    std::copy(magic.begin(), magic.end(), out.begin());
    put_be16(MutableBytes(out).subspan(4, 2), versions.oldest);
    put_be16(MutableBytes(out).subspan(6, 2), versions.newest);
    return out;
}

Result<Versions> decode_hello(BytesView bytes) {
    if (bytes.size() != hello_size || text_of(bytes.first(4)) != magic)
        return fail(Errc::protocol,
                    "the other end did not say hello as a tunnel does: is this the right address and port?");
    const Versions versions{get_be16(bytes.subspan(4, 2)), get_be16(bytes.subspan(6, 2))};
    if (versions.oldest > versions.newest)
        return fail(Errc::protocol, "the other end's hello names the impossible version range {}-{}",
                    versions.oldest, versions.newest);
    return versions;
}

Result<std::uint16_t> agree(End our_end, Versions ours, Versions theirs) {
    const auto newest = std::min(ours.newest, theirs.newest);
    if (newest >= std::max(ours.oldest, theirs.oldest)) return newest;
    const bool we_are_old = ours.newest < theirs.oldest;
    const bool upgrade_server = (our_end == End::server) == we_are_old;
    const bool we_are_server = our_end == End::server;
    const auto& server = we_are_server ? ours : theirs;
    const auto& client = we_are_server ? theirs : ours;
    return fail(
        Errc::version,
        "the server speaks protocol versions {} to {} and the client {} to {}: upgrade tunnel-{} on the {}",
        server.oldest, server.newest, client.oldest, client.newest, upgrade_server ? "server" : "client",
        upgrade_server ? "public host" : "machine inside");
}

}  // namespace tunnel::wire
