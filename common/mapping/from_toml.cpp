#include "common/mapping/from_toml.hpp"

#include "common/core/names.hpp"
#include "common/mapping/option_table.hpp"

namespace tunnel {

namespace {

using config::Located;
using config::Table;
using Kind = MappingOption::Kind;

// The values of one option as texts, none when the key is missing or of a wrong type (and reported).
std::vector<Located<std::string>> texts_of(Table& table, const MappingOption& option) {
    std::vector<Located<std::string>> texts;
    switch (option.kind) {
        case Kind::text:
            if (auto text = table.text(option.name)) texts.push_back(std::move(*text));
            break;
        case Kind::number:
            if (auto text = table.number_or_text(option.name)) texts.push_back(std::move(*text));
            break;
        case Kind::on:
        case Kind::off:
            if (const auto flag = table.boolean(option.name))
                texts.push_back({flag->value ? "true" : "false", flag->at});
            break;
        case Kind::list:
            if (auto list = table.texts(option.name)) texts = std::move(list->value);
            break;
    }
    return texts;
}

// True when a good value was there.
bool read_option(Table& table, const MappingOption& option, OptionReader& reader) {
    bool good = false;
    for (const auto& text : texts_of(table, option)) {
        const auto taken = reader.take(option, text.value);
        if (!taken) table.report(option.name, text.at, taken.error().message);
        good = taken.has_value();
    }
    return good;
}

}  // namespace

std::optional<MappingOptions> read_mapping(Table& table) {
    OptionReader reader;
    auto& mapping = reader.options();
    const bool named = table.read("name", mapping.name, [](std::string_view text) -> Result<std::string> {
        if (auto checked = check_name("mapping", text); !checked) return pass(std::move(checked.error()));
        return std::string(text);
    });
    bool served = false;
    bool ends_are_good = true;
    for (const auto& option : mapping_option_table()) {
        const bool good = read_option(table, option, reader);
        if (option.role == MappingOption::Role::service) served = good;
        if (option.role == MappingOption::Role::endpoint && table.has(option.name) && !good)
            ends_are_good = false;
    }
    if (!table.has("name")) table.report(table.position(), "this mapping has no name: write name = \"NAME\"");
    if (!table.has("to"))
        table.report(table.position(),
                     "this mapping has no service: write to = \"HOST:PORT\", such as \"127.0.0.1:22\"");
    if (!named || !served || !ends_are_good) return std::nullopt;
    if (auto checked = check_mapping(mapping); !checked) {
        table.report(table.position_of("to"), checked.error().message);
        return std::nullopt;
    }
    return std::move(mapping);
}

}  // namespace tunnel
