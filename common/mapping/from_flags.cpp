#include "common/mapping/from_flags.hpp"

#include <CLI/CLI.hpp>

#include "common/mapping/option_table.hpp"

namespace tunnel {

namespace {

using Kind = MappingOption::Kind;
using Role = MappingOption::Role;

}  // namespace

void MappingFlags::add_to(CLI::App& verb, const std::string& service, const std::string& tcp_too) {
    for (const auto& option : mapping_option_table()) {
        auto& given = given_.emplace_back();
        given.option = &option;
        given.flag = option.role == Role::service ? service : flag_of(option);
        const std::string help(option.help);
        if (option.kind == Kind::on || option.kind == Kind::off) {
            verb.add_flag(given.flag, given.set, help);
            continue;
        }
        const auto names = option.name == "tcp" && !tcp_too.empty() ? given.flag + "," + tcp_too : given.flag;
        auto* added = verb.add_option(names, given.texts, help);
        added->type_name(std::string(option.value));
        if (option.kind == Kind::list)
            added->allow_extra_args(false);  // --allow A --allow B: what follows may be a positional word
        else
            added->expected(1);
        if (option.role == Role::service) added->required();
    }
}

Result<MappingOptions> MappingFlags::read(std::string name) const {
    OptionReader reader;
    for (const auto& given : given_) {
        auto texts = given.texts;
        if (given.set) texts = {given.option->kind == Kind::on ? "false" : "true"};
        for (const auto& text : texts) {
            if (auto taken = reader.take(*given.option, text); !taken)
                return fail(taken.error().code, "{}: {}", given.flag, taken.error().message);
        }
    }
    auto& options = reader.options();
    options.name = name.empty() ? default_mapping_name(options) : std::move(name);
    if (auto checked = check_mapping(options); !checked) return pass(std::move(checked.error()));
    return std::move(options);
}

}  // namespace tunnel
