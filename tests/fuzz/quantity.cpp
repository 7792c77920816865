// Amounts of data and speeds as people write them.
#include "common/core/quantity.hpp"

#include "tests/fuzz/fuzz_input.hpp"

using namespace tunnel;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto text = text_of({data, size});
    if (const auto bytes = parse_size(text)) {
        fuzz::require(format_size(*bytes).size() <= size, "the shortest spelling is written");
        fuzz::require(parse_size(format_size(*bytes)) == *bytes, "an amount survives a round trip");
    }
    if (const auto speed = parse_speed(text))
        fuzz::require(parse_speed(format_speed(*speed)) == *speed, "a speed survives a round trip");
    return 0;
}
