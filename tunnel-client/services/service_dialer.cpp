#include "tunnel-client/services/service_dialer.hpp"

#include "common/net/socket.hpp"
#include "common/net/unix_socket.hpp"

namespace tunnel::client {

namespace {

using Code = wire::StreamAnswer::Code;

wire::StreamAnswer no_answer(const ServiceRules::Service& service, const Error& error) {
    return {Code::connect_failed, fmt::format("the service {} does not answer ({}): is it running?",
                                              to_string(service), error.message)};
}

net::awaitable<Dialled> dial_unix_service(const ServiceRules& rules, ServiceRules::Service service,
                                          Millis limit) {
    if (!rules.allows_path(service))
        co_return tl::unexpected(wire::StreamAnswer{Code::not_allowed, rules.objection(service)});
    auto fd = co_await net::dial_unix(service.path, limit);
    if (fd) co_return ServiceSocket{std::move(*fd), true};
    co_return tl::unexpected(no_answer(service, fd.error()));
}

}  // namespace

net::awaitable<tl::expected<net::Endpoints, wire::StreamAnswer>> find_service(net::Resolver& resolver,
                                                                              const ServiceRules& rules,
                                                                              ServiceRules::Service service,
                                                                              Millis limit) {
    const auto addresses = co_await resolver.resolve(service.address, limit);
    if (!addresses)
        co_return tl::unexpected(wire::StreamAnswer{Code::connect_failed, addresses.error().message});
    net::Endpoints allowed;
    for (const auto& address : *addresses) {
        if (rules.allows(service, net::to_ip(address.address()))) allowed.push_back(address);
    }
    if (allowed.empty())
        co_return tl::unexpected(wire::StreamAnswer{Code::not_allowed, rules.objection(service)});
    co_return std::move(allowed);
}

net::awaitable<Dialled> dial_service(net::Resolver& resolver, const ServiceRules& rules,
                                     ServiceRules::Service service, Millis limit) {
    if (service.is_unix()) co_return co_await dial_unix_service(rules, std::move(service), limit);
    auto addresses = co_await find_service(resolver, rules, service, limit);
    if (!addresses) co_return tl::unexpected(std::move(addresses.error()));
    auto fd = co_await net::dial(std::move(*addresses), limit);
    if (fd) co_return ServiceSocket{std::move(*fd)};
    co_return tl::unexpected(no_answer(service, fd.error()));
}

}  // namespace tunnel::client
