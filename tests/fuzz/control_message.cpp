// One control message: whatever decodes is within its maxima and survives a round trip.
#include "common/wire/control_messages.hpp"

#include "tests/fuzz/fuzz_input.hpp"

using namespace tunnel;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto message = wire::decode({data, size});
    if (!message) {
        fuzz::require(message.error().code == Errc::protocol, "a bad message is the peer's fault");
        return 0;
    }
    if (const auto* declare = std::get_if<wire::Declare>(&*message))
        fuzz::require(declare->mappings.size() <= wire::max_mappings, "declarations are bounded");
    if (const auto* states = std::get_if<wire::MappingStates>(&*message))
        fuzz::require(states->mappings.size() <= 2 * wire::max_mappings, "mapping states are bounded");
    if (const auto* login = std::get_if<wire::Login>(&*message))
        fuzz::require(login->client.size() <= wire::max_text && login->proof.size() <= wire::proof_size &&
                          login->ciphers.size() <= wire::max_ciphers,
                      "logins are bounded");
    fuzz::require(!wire::name_of(*message).empty(), "every kind has a name");
    const auto again = wire::decode(wire::encode(*message));
    fuzz::require(again && *again == *message, "what decodes encodes to itself");
    return 0;
}
