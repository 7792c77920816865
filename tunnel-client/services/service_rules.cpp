#include "tunnel-client/services/service_rules.hpp"

#include <algorithm>

namespace tunnel::client {

namespace {

// Which of its own mapping's services the server means; the first, when it says what is none of them.
ServiceAddress own_service(const MappingOptions& mapping, const std::string& service_of_server) {
    for (const auto& member : mapping.group.members) {
        if (to_string(member.service) == service_of_server) return member.service;
    }
    return mapping.service;
}

bool names(const ServiceAddress& mine, const ServiceRules::Service& service) {
    if (mine.is_unix() || service.is_unix()) return mine.path == service.path;
    return mine.host == service.address.host && mine.ports.contains(service.address.port);
}

ServiceRules::Service service_at(const ServiceAddress& address, unsigned offset) {
    if (address.is_unix()) return {{}, address.path};
    return {address.at(offset), {}};
}

}  // namespace

ServiceRules::ServiceRules(const ClientConfig& config)
    : allow_(config.allow), dial_timeout_(config.dial_timeout) {
    for (const auto& mapping : config.mappings) own_[mapping.name] = mapping;
}

Result<ServiceRules::Service> ServiceRules::service_for(const std::string& mapping,
                                                        const std::string& service_of_server,
                                                        unsigned offset) const {
    const auto own = own_.find(mapping);
    const auto parsed = own != own_.end()
                            ? Result<ServiceAddress>(own_service(own->second, service_of_server))
                            : parse_service(service_of_server);
    if (!parsed) return pass(parsed.error());
    if (offset >= parsed->size())
        return fail(Errc::invalid, "the service {} has no port for visitors of public port {} of \"{}\"",
                    tunnel::to_string(*parsed), offset + 1, mapping);
    auto service = service_at(*parsed, offset);
    // An address that one of the client's own mappings names is one its owner exposes anyway.
    service.own = own != own_.end() || is_own(service);
    return service;
}

bool ServiceRules::is_own(const Service& service) const {
    return std::any_of(own_.begin(), own_.end(), [&](const auto& entry) {
        const auto services = services_of(entry.second);
        return std::any_of(services.begin(), services.end(),
                           [&](const MemberService& mine) { return names(mine.service, service); });
    });
}

bool ServiceRules::allows(const Service& service, const IpAddress& resolved) const {
    return service.own || client::allows(allow_, service.address.host, resolved, service.address.port);
}

bool ServiceRules::allows_path(const Service& service) const {
    return service.own || client::allows_path(allow_, service.path);
}

std::string ServiceRules::objection(const Service& service) const {
    return fmt::format("the client does not allow {0}: its owner can add \"{0}\" to allow in client.toml",
                       to_string(service));
}

Status ServiceRules::judge(const std::string& mapping, const std::string& service_of_server) const {
    const auto first = service_for(mapping, service_of_server);
    if (!first) return pass(first.error());
    if (first->is_unix()) {
        if (allows_path(*first)) return {};
        return fail(Errc::not_allowed, "{}", objection(*first));
    }
    const auto ip = parse_ip(first->address.host);
    if (!ip || own_.contains(mapping)) return {};
    const auto size = parse_service(service_of_server)->size();
    for (unsigned offset = 0; offset < size; ++offset) {
        const auto service = service_for(mapping, service_of_server, offset);
        if (!allows(*service, *ip)) return fail(Errc::not_allowed, "{}", objection(*service));
    }
    return {};
}

Seconds ServiceRules::keepalive(const std::string& mapping, Seconds of_server) const {
    const auto own = own_.find(mapping);
    return own == own_.end() ? of_server : own->second.keepalive;
}

std::string to_string(const ServiceRules::Service& service) {
    return service.is_unix() ? fmt::format("unix:{}", service.path) : tunnel::to_string(service.address);
}

}  // namespace tunnel::client
