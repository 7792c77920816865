#include "tunnel-client/services/service_rules.hpp"

namespace tunnel::client {

ServiceRules::ServiceRules(const ClientConfig& config)
    : allow_(config.allow), dial_timeout_(config.dial_timeout) {
    for (const auto& mapping : config.mappings) own_[mapping.name] = mapping.service;
}

Result<ServiceRules::Service> ServiceRules::service_for(const std::string& mapping,
                                                        const std::string& service_of_server) const {
    if (const auto own = own_.find(mapping); own != own_.end()) return Service{own->second, true};
    auto address = parse_host_port(service_of_server);
    if (!address) return pass(std::move(address.error()));
    // An address that one of the client's own mappings names is one its owner exposes anyway.
    for (const auto& [name, service] : own_) {
        if (service == *address) return Service{std::move(*address), true};
    }
    return Service{std::move(*address), false};
}

bool ServiceRules::allows(const Service& service, const IpAddress& resolved) const {
    return service.own || client::allows(allow_, service.address.host, resolved, service.address.port);
}

std::string ServiceRules::objection(const Service& service) const {
    return fmt::format("the client does not allow {}: its owner can add \"{}\" to allow in client.toml",
                       tunnel::to_string(service.address), tunnel::to_string(service.address));
}

}  // namespace tunnel::client
