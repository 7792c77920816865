#pragma once
// What this client serves: its own mappings' services, and what the server's admin may point at. A value that
// every worker reads; replaced as a whole on reload. Sans-I/O.

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/core/address.hpp"
#include "common/core/result.hpp"
#include "common/wire/stream_head.hpp"
#include "tunnel-client/config/client_config.hpp"

namespace tunnel::client {

class ServiceRules {
  public:
    explicit ServiceRules(const ClientConfig& config);

    struct Service {
        HostPort address;
        bool own = false;  // named by this client's own config, so allowed whatever it resolves to
    };
    // Which service a stream is for. The client's own config counts more than what the server says.
    // Errc::invalid when the server names something that is no address.
    Result<Service> service_for(const std::string& mapping, const std::string& service_of_server) const;
    // May this address of the service be dialled?
    bool allows(const Service& service, const IpAddress& resolved) const;
    // The sentence for the server's admin when it may not.
    std::string objection(const Service& service) const;

    Millis dial_timeout() const { return dial_timeout_; }

  private:
    std::unordered_map<std::string, HostPort> own_;
    std::vector<AllowRule> allow_;
    Millis dial_timeout_;
};

}  // namespace tunnel::client
