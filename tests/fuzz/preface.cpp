// The first bytes of both kinds of connection: the preface of a data connection and the control connection's
// hello.
#include "common/wire/preface.hpp"

#include "common/wire/hello.hpp"
#include "tests/fuzz/fuzz_input.hpp"

using namespace tunnel;

namespace {

void check_preface(const wire::PrefaceBytes& bytes) {
    const auto preface = wire::decode_preface(bytes);
    if (!preface) return;
    const auto again = wire::encode_preface(*preface);
    fuzz::require(std::equal(again.begin(), again.end(), bytes.begin()),
                  "a preface encodes to what it came from");
}

void check_hello(BytesView bytes) {
    const auto versions = wire::decode_hello(bytes);
    if (!versions) return;
    const auto again = wire::encode_hello(*versions);
    fuzz::require(std::equal(again.begin(), again.end(), bytes.begin(), bytes.end()),
                  "a hello encodes to what it came from");
    const auto at_server = wire::agree(wire::End::server, wire::our_versions, *versions);
    const auto at_client = wire::agree(wire::End::client, *versions, wire::our_versions);
    fuzz::require(at_server.has_value() == at_client.has_value(), "both ends agree on whether they agree");
    if (at_server)
        fuzz::require(*at_server == *at_client, "both ends choose the same version");
    else
        fuzz::require(at_server.error().message == at_client.error().message, "both ends say the same");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const BytesView all(data, size);
    wire::PrefaceBytes bytes{};
    std::copy_n(all.begin(), std::min(size, bytes.size()), bytes.begin());
    check_preface(bytes);
    check_hello(all.first(std::min(size, wire::hello_size)));
    return 0;
}
