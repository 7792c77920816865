// The rules of `allow`.
#include "tunnel-client/config/allow_rule.hpp"

#include "tests/fuzz/fuzz_input.hpp"

using namespace tunnel;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto text = text_of({data, size});
    if (const auto rule = client::parse_allow_rule(text)) {
        const auto again = client::parse_allow_rule(client::to_string(*rule));
        fuzz::require(again && *again == *rule, "a rule survives a round trip");
        fuzz::require(rule->ports.first >= 1 && rule->ports.first <= rule->ports.last,
                      "its ports are in order");
        if (const auto* network = std::get_if<Network>(&rule->host)) {
            fuzz::require(client::allows({*rule}, "x", network->address, rule->ports.first),
                          "a rule allows its own address");
        }
    }
    return 0;
}
