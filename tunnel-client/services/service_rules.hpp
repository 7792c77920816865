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
        std::string path;  // of a Unix socket instead
        bool own = false;  // named by this client's own config, so allowed whatever it resolves to
        bool is_unix() const { return !path.empty(); }
    };
    // Which service a stream is for; `offset` is the port's place in a range. The client's own config counts
    // more than what the server says. Errc::invalid when the server names something that is no service.
    Result<Service> service_for(const std::string& mapping, const std::string& service_of_server,
                                unsigned offset = 0) const;
    // May this address of the service be dialled?
    bool allows(const Service& service, const IpAddress& resolved) const;
    // May this Unix socket be dialled?
    bool allows_path(const Service& service) const;
    // The sentence for the server's admin when it may not.
    std::string objection(const Service& service) const;
    // An error when it is certain beforehand that no visitor of the mapping, or of one of its ports, would be
    // served. A name's addresses are judged when a visitor comes.
    Status judge(const std::string& mapping, const std::string& service_of_server) const;

    // Of the service's socket; `of_server` is what the server says.
    Seconds keepalive(const std::string& mapping, Seconds of_server) const;
    Millis dial_timeout() const { return dial_timeout_; }

  private:
    bool is_own(const Service& service) const;

    std::unordered_map<std::string, MappingOptions> own_;
    std::vector<AllowRule> allow_;
    Millis dial_timeout_;
};

// "127.0.0.1:22" or "unix:/run/x.sock"
std::string to_string(const ServiceRules::Service& service);

}  // namespace tunnel::client
