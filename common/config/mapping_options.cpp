#include "common/config/mapping_options.hpp"

#include <algorithm>

#include "common/core/names.hpp"

namespace tunnel::config {

Status check_mapping(const MappingOptions& mapping) {
    if (auto named = check_name("mapping", mapping.name); !named) return named;
    if (mapping.service.host.empty() || mapping.service.port == 0)
        return fail(Errc::invalid,
                    "mapping \"{}\" has no service: say where it leads, such as 22 or 192.168.1.10:80",
                    mapping.name);
    return {};
}

Result<HostPort> parse_service(std::string_view text) {
    const auto digit = [](char c) { return c >= '0' && c <= '9'; };
    if (!text.empty() && std::all_of(text.begin(), text.end(), digit)) {
        auto port = parse_port(text);
        if (!port) return pass(std::move(port.error()));
        return HostPort{"127.0.0.1", *port};
    }
    if (text.find(':') == std::string_view::npos)
        return fail(Errc::invalid,
                    "\"{}\" is not a service: write PORT or HOST:PORT, such as 22 or 192.168.1.10:80", text);
    return parse_host_port(text);
}

std::string default_mapping_name(const HostPort& service) {
    return fmt::format("tcp-{}", service.port);
}

}  // namespace tunnel::config
