#pragma once
// The whole client: keeps a control connection to the server for ever, declares its mappings, serves data
// connections. Owner: main, or a test that runs both ends in one process. All calls from the thread that
// calls run(), except request_stop() and request_reload().

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/core/log.hpp"
#include "common/net/worker.hpp"
#include "tunnel-client/config/client_config.hpp"
#include "tunnel-client/control/backoff.hpp"
#include "tunnel-client/control/control_session.hpp"
#include "tunnel-client/data/data_plane.hpp"
#include "tunnel-client/health/health_checks.hpp"
#include "tunnel-client/services/service_rules.hpp"
#include "tunnel-client/ways/way_plan.hpp"

namespace tunnel::client {

// How long a client stays with one name at the server.
enum class Stay {
    resident,  // `run`: after the end it may come back, so the server keeps listeners open for the grace time
    temporary,  // `expose`: its mapping goes with it
};

class Client {
  public:
    using ConfigSource = std::function<Result<ClientConfig>()>;
    struct Events {
        // After every change, with what the server says of each mapping.
        std::function<void(const std::vector<wire::MappingState>&)> on_states;
    };

    // `slot` is empty for `run`. `reload` reads the config again.
    static Result<std::unique_ptr<Client>> make(ClientConfig config, std::string slot, Stay stay, Log log,
                                                ConfigSource reload, Events events = {});
    ~Client();

    // Serves until request_stop(), then drains. An error when the server refused the first login for a reason
    // that only a person can mend (wrong secret, wrong pin, version); later refusals are retried for ever.
    Status run();

    // Any thread. The first request drains for up to the configured time, the second ends at once.
    void request_stop();
    // Any thread. Reads the config again and applies what changed; a bad file changes nothing.
    void request_reload();
    // This thread: ends run() with this error, for a caller that cannot use what the server granted.
    void fail_with(Error error);

  private:
    Client(ClientConfig config, std::shared_ptr<const ServerAccess> access, std::string slot, Stay stay,
           Log log, ConfigSource reload, Events events);

    net::awaitable<void> connect_loop();
    net::awaitable<ControlEnd> one_session();
    std::string server_name() const;
    bool tries_another_way(ControlEnd& end);
    // Decides what an ended connection means; false when it is no use to try again.
    bool may_retry(const ControlEnd& end);
    net::awaitable<void> wait_before_retry(const ControlEnd& end);
    void on_accepted(const wire::LoginAccepted& accepted);
    void on_states(const wire::MappingStates& states);
    void judge(const wire::MappingState& state);
    // Checks what the server asks to have checked.
    void check_services(const std::vector<wire::MappingState>& states);
    net::awaitable<Result<net::UniqueFd>> dial_to_check(CheckedService service, Millis limit);
    void report_health(const CheckedService& service, bool up, const std::string& reason);
    void declare();
    void open_data_connection(tls::TicketKey ticket);
    wire::HeartbeatTimes heartbeat() const;
    net::Liveness liveness() const { return {config_.heartbeat.interval, config_.heartbeat.timeout}; }

    void reload();
    void apply(ClientConfig next, std::shared_ptr<const ServerAccess> access);
    net::awaitable<void> stop_loop();
    net::awaitable<void> drain();

    ClientConfig config_;
    std::shared_ptr<const ServerAccess> access_;
    WayPlan plan_;
    std::string slot_;
    Stay stay_;
    Log log_;
    ConfigSource reload_source_;
    Events events_;
    std::uint64_t instance_;

    asio::io_context context_{1};
    net::WorkerPool workers_;
    DataPlane data_;
    net::Resolver resolver_;
    net::TaskGroup connection_tasks_;  // the control connection's
    net::TaskGroup bridges_;           // that carry it
    net::TaskGroup tasks_;
    std::shared_ptr<const ServiceRules> rules_;
    std::unique_ptr<ControlSession> session_;
    Backoff backoff_;
    asio::steady_timer retry_;
    asio::steady_timer stop_requested_;
    int stop_requests_ = 0;
    bool was_connected_ = false;  // ever, in this process
    bool takeover_ = true;
    std::string last_reason_;
    std::string last_way_reason_;
    std::map<std::string, Port> chosen_ports_;  // by the server, asked for again after a reconnect
    std::map<std::string, wire::MappingState> told_;
    std::vector<std::string> server_knows_;      // options of mappings, by name
    std::vector<wire::MappingState> held_back_;  // mappings with an option that the server does not know
    HealthChecks checks_;
    bool health_is_told_ = false;  // to the present session
    std::optional<Error> failure_;
};

}  // namespace tunnel::client
