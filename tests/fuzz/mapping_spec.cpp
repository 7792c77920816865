// A mapping as it comes from a client, a file or tunnelctl: bytes to a spec to options, and the texts of
// options.
#include "common/mapping/spec.hpp"

#include "common/mapping/option_table.hpp"
#include "tests/fuzz/fuzz_input.hpp"

using namespace tunnel;

namespace {

void check_way(const MappingOptions& options) {
    fuzz::require(check_mapping(options).has_value(), "what is taken breaks no rule");
    const auto spec = wire::decode_mapping_spec(wire::encode(to_spec(options)));
    fuzz::require(spec.has_value(), "a spec survives the wire");
    const auto again = from_spec(*spec);
    fuzz::require(again && *again == options, "a mapping survives a round trip");
    fuzz::require(check_known(*spec, known_option_names()).has_value(), "we know our own options");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (const auto spec = wire::decode_mapping_spec({data, size})) {
        fuzz::require(spec->options.size() <= wire::max_options, "options are bounded");
        if (const auto options = from_spec(*spec)) check_way(*options);
    }
    const auto text = text_of({data, size});
    for (const auto& option : mapping_option_table()) {
        OptionReader reader;
        auto& options = reader.options();
        options.name = "name";
        options.service = *parse_service("1");
        if (!reader.take(option, text)) continue;
        const auto values = option.print(options);
        fuzz::require(values.size() <= 1, "one text, one value");
        MappingOptions again{"name", {}, *parse_service("1")};
        for (const auto& value : values)
            fuzz::require(option.parse(value, again).has_value(), "print, parse");
        fuzz::require(option.print(again) == values, "a value survives a round trip");
        if (check_mapping(options)) check_way(options);
    }
    return 0;
}
