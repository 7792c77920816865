#include "common/mapping/spec.hpp"

#include <algorithm>

#include "common/core/version.hpp"
#include "common/mapping/option_table.hpp"

namespace tunnel {

namespace {

using Role = MappingOption::Role;

// Of every option about checks.
constexpr std::string_view check_prefix = "check";
constexpr std::string_view proxy_option = "proxy_protocol";

bool is_about_checks(std::string_view name) {
    return name.starts_with(check_prefix) || name == proxy_option;
}

// What the first release knows too has fields of its own.
bool has_field(const MappingOption& option, const MappingOptions& options) {
    if (option.role == Role::service || option.role == Role::encrypt) return true;
    const auto& endpoint = options.endpoint;
    return option.name == "tcp" && !endpoint.address && endpoint.size() == 1;
}

}  // namespace

wire::MappingSpec to_spec(const MappingOptions& options) {
    const auto& endpoint = options.endpoint;
    wire::MappingSpec spec;
    spec.name = options.name;
    if (endpoint.protocol == Protocol::tcp) spec.tcp = endpoint.ports.first;
    spec.service = to_string(options.service);
    spec.encrypt = options.encrypt;
    for (const auto& option : mapping_option_table()) {
        if (has_field(option, options)) continue;
        // Another kind of endpoint is said even if its port is the default.
        const auto values =
            option.role == Role::endpoint ? option.print(options) : given_values(option, options);
        for (const auto& value : values) spec.options.push_back({std::string(option.name), value});
    }
    return spec;
}

std::vector<wire::OptionText> check_options(const MappingOptions& options) {
    std::vector<wire::OptionText> texts;
    for (const auto& option : mapping_option_table()) {
        if (!is_about_checks(option.name)) continue;
        for (const auto& value : given_values(option, options))
            texts.push_back({std::string(option.name), value});
    }
    return texts;
}

Result<HealthCheck> read_check(const std::vector<wire::OptionText>& options) {
    OptionReader reader;
    for (const auto& [name, value] : options) {
        const auto* option = is_about_checks(name) ? find_mapping_option(name) : nullptr;
        if (option == nullptr)
            return fail(Errc::version,
                        "the server asks for a check with the option {}, which is unknown here: upgrade "
                        "tunnel-client (this is {})",
                        name, version);
        if (auto taken = reader.take(*option, value); !taken)
            return fail(taken.error().code, "{}: {}", name, taken.error().message);
    }
    auto check = reader.options().group.check;
    check.proxy_protocol = reader.options().proxy_protocol;
    return check;
}

Result<MappingOptions> from_spec(const wire::MappingSpec& spec) {
    OptionReader reader;
    auto& options = reader.options();
    options.name = spec.name;
    options.endpoint.ports = {spec.tcp, spec.tcp};
    auto service = parse_service(spec.service);
    if (!service) return pass(std::move(service.error()));
    options.service = std::move(*service);
    options.encrypt = spec.encrypt;
    for (const auto& [name, value] : spec.options) {
        const auto* option = find_mapping_option(name);
        if (option == nullptr)
            return fail(Errc::version,
                        "the option {} of the mapping \"{}\" is unknown here: upgrade tunnel-server (this is "
                        "{}), or leave the option out",
                        name, spec.name, version);
        if (auto taken = reader.take(*option, value); !taken)
            return fail(taken.error().code, "{}: {}", name, taken.error().message);
    }
    if (auto ok = check_mapping(options); !ok) return pass(std::move(ok.error()));
    return std::move(options);
}

std::vector<std::string> known_option_names() {
    std::vector<std::string> names;
    for (const auto& option : mapping_option_table()) names.emplace_back(option.name);
    return names;
}

Status check_known(const wire::MappingSpec& spec, const std::vector<std::string>& known) {
    for (const auto& option : spec.options) {
        if (std::find(known.begin(), known.end(), option.name) != known.end()) continue;
        return fail(
            Errc::version,
            "the server does not know the option {} of the mapping \"{}\": have tunnel-server upgraded, "
            "or leave the option out",
            option.name, spec.name);
    }
    return {};
}

}  // namespace tunnel
