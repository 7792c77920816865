#pragma once
// Opens connections to services, for visitors and for checks, as far as the client's rules allow.

#include "common/core/result.hpp"
#include "common/net/asio.hpp"
#include "common/net/dialer.hpp"
#include "common/net/unique_fd.hpp"
#include "common/wire/stream_head.hpp"
#include "tunnel-client/services/service_rules.hpp"

namespace tunnel::client {

struct ServiceSocket {
    net::UniqueFd fd;
    bool is_unix = false;
};
// The service's socket, or the answer that tells the server why there is none.
using Dialled = tl::expected<ServiceSocket, wire::StreamAnswer>;

// The addresses of a service, which is no Unix socket, that may be dialled. On the resolver's executor.
net::awaitable<tl::expected<net::Endpoints, wire::StreamAnswer>> find_service(net::Resolver& resolver,
                                                                              const ServiceRules& rules,
                                                                              ServiceRules::Service service,
                                                                              Millis limit);

// On the resolver's executor. `rules` outlives it; `limit` holds for the name and for the connection each.
net::awaitable<Dialled> dial_service(net::Resolver& resolver, const ServiceRules& rules,
                                     ServiceRules::Service service, Millis limit);

}  // namespace tunnel::client
