#pragma once
// Checks services now and then and tells of those that come up or go down. One thread: the executor's.

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "common/core/result.hpp"
#include "common/mapping/health_check.hpp"
#include "common/net/asio.hpp"
#include "common/net/task_group.hpp"
#include "common/net/unique_fd.hpp"

namespace tunnel::client {

// A service of a mapping.
struct CheckedService {
    std::string mapping;
    std::string service;  // as the mapping names it
    auto operator<=>(const CheckedService&) const = default;
};

class HealthChecks {
  public:
    // Opens a connection to the service within `limit`; the error is a sentence.
    using Dial = std::function<net::awaitable<Result<net::UniqueFd>>(CheckedService service, Millis limit)>;
    // `reason` is empty when it is up.
    using OnChange = std::function<void(const CheckedService& service, bool up, const std::string& reason)>;

    // Tasks are spawned on `tasks`, which is cancelled and joined before this goes.
    HealthChecks(net::TaskGroup& tasks, Dial dial, OnChange on_change);
    HealthChecks(const HealthChecks&) = delete;
    HealthChecks& operator=(const HealthChecks&) = delete;
    ~HealthChecks() { set({}); }

    // What is to be checked from now on, instead of what was; a check that is the same goes on undisturbed.
    void set(std::map<CheckedService, HealthCheck> checks);
    // Tells of every state that is known again: to a server that knows none.
    void tell_all() const;

  private:
    struct Running;
    net::awaitable<void> run(std::shared_ptr<Running> running);
    net::awaitable<Status> check_once(const Running& running);

    net::TaskGroup& tasks_;
    Dial dial_;
    OnChange on_change_;
    std::map<CheckedService, std::shared_ptr<Running>> running_;
};

// Sends GET and reads the answer's head. `host` is for the Host field. Errors are sentences for the owner.
net::awaitable<Status> check_http(net::UniqueFd fd, std::string host, HealthCheck check);

}  // namespace tunnel::client
