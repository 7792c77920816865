#include "tunnel-client/client.hpp"

#include "common/core/version.hpp"
#include "common/mapping/spec.hpp"
#include "common/net/deadline.hpp"
#include "common/net/network_watch.hpp"
#include "common/net/process.hpp"
#include "common/net/socket.hpp"
#include "tunnel-client/services/service_dialer.hpp"

namespace tunnel::client {

namespace {

using Code = wire::Goodbye::Code;

constexpr Millis drain_check_interval{50};
constexpr Seconds stand_by_interval{5};
constexpr Millis goodbye_limit{1200};

// Only a person can mend these.
bool hopeless(const ControlEnd& end) {
    if (end.goodbye) return end.goodbye->code == Code::refused || end.goodbye->code == Code::revoked;
    return end.reason.code == Errc::unauthenticated || end.reason.code == Errc::version;
}

bool stand_by(const ControlEnd& end) {
    return end.goodbye && (end.goodbye->code == Code::replaced || end.goodbye->code == Code::occupied);
}

}  // namespace

Result<std::unique_ptr<Client>> Client::make(ClientConfig config, std::string slot, Stay stay, Log log,
                                             ConfigSource reload, Events events) {
    auto access = make_access(config, *config.link);
    if (!access) return pass(std::move(access.error()));
    try {
        return std::unique_ptr<Client>(new Client(std::move(config), std::move(*access), std::move(slot),
                                                  stay, std::move(log), std::move(reload),
                                                  std::move(events)));
    } catch (const std::system_error& error) {
        return pass(net::event_loop_error(error));
    }
}

Client::Client(ClientConfig config, std::shared_ptr<const ServerAccess> access, std::string slot, Stay stay,
               Log log, ConfigSource reload, Events events)
    : config_(std::move(config)),
      access_(std::move(access)),
      plan_(access_->ways),
      slot_(std::move(slot)),
      stay_(stay),
      log_(std::move(log)),
      reload_source_(std::move(reload)),
      events_(std::move(events)),
      instance_(random_u64()),
      workers_(config_.workers, log_,
               net::KernelTls::if_wanted(config_.kernel_tls == config::KernelTlsChoice::automatic, log_)),
      data_(workers_, log_, access_->link.client, std::make_shared<const ServiceRules>(config_)),
      resolver_(context_.get_executor()),
      connection_tasks_(context_.get_executor(),
                        [this](const std::exception& bug) {
                            log_.error("bug in the client", {{"what", bug.what()}});
                        }),
      bridges_(context_.get_executor(),
               [this](const std::exception& bug) {
                   log_.error("bug in the client", {{"what", bug.what()}});
               }),
      tasks_(context_.get_executor(),
             [this](const std::exception& bug) {
                 log_.error("bug in the client", {{"what", bug.what()}});
             }),
      rules_(std::make_shared<const ServiceRules>(config_)),
      backoff_(random_u64()),
      retry_(context_),
      stop_requested_(context_, asio::steady_timer::time_point::max()),
      checks_(
          tasks_,
          [this](CheckedService service, Millis limit) { return dial_to_check(std::move(service), limit); },
          [this](const CheckedService& service, bool up, const std::string& reason) {
              report_health(service, up, reason);
          }) {}

Client::~Client() = default;

Status Client::run() {
    for (const auto& warning : config_.warnings) log_.warn("config", {{"hint", warning}});
    workers_.set_liveness(liveness());
    workers_.start();
    connection_tasks_.spawn(connect_loop());
    tasks_.spawn(net::watch_network([this] { retry_.cancel(); }));
    net::spawn_unowned(context_.get_executor(), stop_loop());
    context_.run();
    if (failure_) return pass(*failure_);
    return {};
}

void Client::request_stop() {
    asio::post(context_, [this] {
        ++stop_requests_;
        stop_requested_.cancel();
    });
}

void Client::request_reload() {
    asio::post(context_, [this] { reload(); });
}

void Client::fail_with(Error error) {
    failure_ = std::move(error);
    request_stop();
}

wire::HeartbeatTimes Client::heartbeat() const {
    return {config_.heartbeat.interval, config_.heartbeat.timeout};
}

net::awaitable<void> Client::connect_loop() {
    while (stop_requests_ == 0) {
        auto end = co_await one_session();
        const auto went = session_->way();
        session_.reset();
        if (stop_requests_ > 0) co_return;
        // A reload has named other ways meanwhile.
        if (!end.logged_in && went != plan_.current()) continue;
        if (tries_another_way(end)) continue;
        if (!may_retry(end)) co_return fail_with(end.reason);
        co_await wait_before_retry(end);
    }
}

net::awaitable<ControlEnd> Client::one_session() {
    ControlSession::Handlers handlers;
    handlers.on_accepted = [this](const wire::LoginAccepted& accepted) { on_accepted(accepted); };
    handlers.on_states = [this](const wire::MappingStates& states) { on_states(states); };
    handlers.on_ticket = [this](tls::TicketKey ticket) { open_data_connection(std::move(ticket)); };
    session_ = std::make_unique<ControlSession>(
        bridges_, access_, plan_.current(),
        LoginOptions{slot_, instance_, takeover_, offered_ciphers(config_.cipher, cpu_has_aes())},
        heartbeat(), std::move(handlers));
    log_.debug("connecting", {{"server", server_name()}, {"way", to_string(*plan_.current())}});
    co_return co_await session_->run(resolver_);
}

std::string Client::server_name() const {
    return to_string(plan_.current()->server);
}

// Whether there is one left in this round; if not, `end` tells what all of them said.
bool Client::tries_another_way(ControlEnd& end) {
    // The server itself has spoken, so another way leads to the same words.
    if (end.logged_in || end.goodbye || end.reason.code == Errc::version) {
        plan_.worked();
        return false;
    }
    const auto failed = plan_.current();
    if (plan_.failed(end.reason, end.reached)) {
        end.reason = plan_.summary();
        return false;
    }
    const bool news = end.reason.message != last_way_reason_;
    last_way_reason_ = end.reason.message;
    if (news)
        log_.info("trying another way",
                  {{"server", to_string(failed->server)},
                   {"way", to_string(*failed)},
                   {"reason", end.reason.message},
                   {"next", fmt::format("{} {}", server_name(), to_string(*plan_.current()))}});
    else
        log_.debug("trying another way", {{"way", to_string(*failed)}, {"reason", end.reason.message}});
    return true;
}

bool Client::may_retry(const ControlEnd& end) {
    if (end.logged_in) backoff_.reset();
    takeover_ = !stand_by(end);
    return was_connected_ || !hopeless(end);
}

net::awaitable<void> Client::wait_before_retry(const ControlEnd& end) {
    const auto pause = takeover_ && !hopeless(end) ? backoff_.next() : Millis(stand_by_interval);
    const bool news = end.logged_in || end.reason.message != last_reason_;
    last_reason_ = end.reason.message;
    if (!takeover_ && news)
        log_.warn(
            "standing by",
            {{"server", server_name()},
             {"reason", end.reason.message},
             {"hint", "two machines use one join link: give each its own (tunnelctl client add NAME)"}});
    else if (news)
        log_.warn("reconnecting",
                  {{"server", server_name()}, {"reason", end.reason.message}, {"in_ms", pause.count()}});
    else
        log_.debug("reconnecting", {{"reason", end.reason.message}, {"in_ms", pause.count()}});
    told_.clear();
    if (pause == Millis(0)) co_return;
    retry_.expires_after(pause);
    co_await retry_.async_wait(net::use_result);
}

void Client::on_accepted(const wire::LoginAccepted& accepted) {
    was_connected_ = true;
    takeover_ = true;
    last_reason_.clear();
    health_is_told_ = false;
    last_way_reason_.clear();
    server_knows_ = accepted.mapping_options;
    log_.info("client ready", {{"server", server_name()},
                               {"way", to_string(*session_->way())},
                               {"client", access_->link.client},
                               {"software", accepted.software},
                               {"cipher", to_string(accepted.cipher)}});
    declare();
}

void Client::declare() {
    if (!session_) return;
    std::vector<wire::MappingSpec> specs;
    held_back_.clear();
    for (const auto& mapping : config_.mappings) {
        auto spec = to_spec(mapping);
        const auto chosen = chosen_ports_.find(mapping.name);
        if (mapping.endpoint.port_is_chosen() && chosen != chosen_ports_.end())
            spec.preferred_port = chosen->second;
        // An older server would drop what it does not know, and open something else than was meant.
        if (auto ok = check_known(spec, server_knows_); !ok)
            held_back_.push_back({spec.name, wire::MappingSource::client, spec.service, 0, "", spec.encrypt,
                                  "refused", std::string(tunnel::to_string(ok.error().code)),
                                  ok.error().message});
        else
            specs.push_back(std::move(spec));
    }
    session_->declare(std::move(specs));
}

void Client::on_states(const wire::MappingStates& states) {
    std::map<std::string, wire::MappingState> now;
    auto all = states.mappings;
    all.insert(all.end(), held_back_.begin(), held_back_.end());
    for (const auto& state : all) {
        now[state.name] = state;
        if (state.state == "listening" && state.port != 0) chosen_ports_[state.name] = state.port;
        const auto before = told_.find(state.name);
        if (before == told_.end() || before->second != state) judge(state);
    }
    for (const auto& [name, state] : told_) {
        if (!now.contains(name)) log_.info("mapping removed", {{"mapping", name}});
    }
    told_ = std::move(now);
    check_services(states.mappings);
    if (events_.on_states) events_.on_states(all);
}

// Logs what is new about a mapping, and objects to one of the admin's that this client's rules forbid.
void Client::judge(const wire::MappingState& state) {
    if (state.state == "refused") {
        log_.warn("mapping refused", {{"mapping", state.name}, {"reason", state.error}});
        return;
    }
    log_.info(fmt::format("mapping {}", state.state), {{"mapping", state.name},
                                                       {"public", state.public_address},
                                                       {"service", state.service},
                                                       {"encrypt", state.encrypt},
                                                       {"options", state.options}});
    if (state.source != wire::MappingSource::admin || state.state != "listening") return;
    auto services = state.services;
    if (services.empty()) services.push_back(state.service);
    for (const auto& service : services) {
        if (auto ok = rules_->judge(state.name, service); !ok)
            return session_->object(state.name, ok.error().message);
    }
}

void Client::check_services(const std::vector<wire::MappingState>& states) {
    std::map<CheckedService, HealthCheck> wanted;
    for (const auto& state : states) {
        if (state.state != "listening" || state.checks.empty()) continue;
        const auto check = read_check(state.checks);
        if (!check)
            log_.warn("services not checked", {{"mapping", state.name}, {"reason", check.error().message}});
        else
            for (const auto& service : state.services) wanted[{state.name, service}] = *check;
    }
    checks_.set(std::move(wanted));
    // A server that was restarted knows nothing of them.
    if (!std::exchange(health_is_told_, true)) checks_.tell_all();
}

net::awaitable<Result<net::UniqueFd>> Client::dial_to_check(CheckedService service, Millis limit) {
    const auto rules = rules_;
    const auto address = rules->service_for(service.mapping, service.service);
    if (!address) co_return pass(address.error());
    auto dialled = co_await dial_service(resolver_, *rules, *address, limit);
    if (!dialled) co_return fail(Errc::io, "{}", dialled.error().reason);
    co_return std::move(dialled->fd);
}

void Client::report_health(const CheckedService& service, bool up, const std::string& reason) {
    log_.info(up ? "service up" : "service down",
              {{"mapping", service.mapping}, {"service", service.service}, {"reason", reason}});
    if (session_) session_->report({service.mapping, service.service, up, reason});
}

void Client::open_data_connection(tls::TicketKey ticket) {
    // Another session counts its tickets from 1 again.
    auto on_failed = [this, session = session_->id()](TicketNumber number, const std::string& reason) {
        asio::post(context_, [this, session, number, reason] {
            if (session_ && session_->id() == session) session_->dial_failed(number, reason);
        });
    };
    data_.open({session_->way(), session_->first_hop(), session_->id(), std::move(ticket), session_->cipher(),
                liveness(), std::move(on_failed)});
}

void Client::reload() {
    auto next = reload_source_();
    if (!next) {
        log_.error("config reload refused", {{"file", config_.file}, {"reason", next.error().message}});
        return;
    }
    auto access = make_access(*next, *next->link);
    if (!access) {
        log_.error("config reload refused", {{"file", config_.file}, {"reason", access.error().message}});
        return;
    }
    apply(std::move(*next), std::move(*access));
}

void Client::apply(ClientConfig next, std::shared_ptr<const ServerAccess> access) {
    const bool other_server = !(access->link == access_->link) || next.ca_file != config_.ca_file ||
                              next.servers != config_.servers || next.way != config_.way ||
                              next.proxy != config_.proxy;
    const bool other_cipher = next.cipher != config_.cipher;
    if (next.workers != config_.workers) log_.warn("setting needs a restart", {{"setting", "workers"}});
    if (next.kernel_tls != config_.kernel_tls)
        log_.warn("setting needs a restart", {{"setting", "kernel_tls"}});
    config_ = std::move(next);
    rules_ = std::make_shared<const ServiceRules>(config_);
    data_.set_rules(rules_);
    log_.configure(config_.log.level, config_.log.format);
    workers_.set_liveness(liveness());
    if (other_server || other_cipher) {
        access_ = std::move(access);
        plan_ = WayPlan(access_->ways);
        if (session_)
            session_->close(Code::restarting, other_server
                                                  ? "the client's config names another server, secret or way"
                                                  : "the client's config names another cipher");
        retry_.cancel();
    } else if (session_) {
        session_->set_times(heartbeat());
        declare();
    }
    log_.info("config reloaded", {{"file", config_.file}});
}

// The end of the client, in order: the server is told, running visitors finish until the deadline, then all
// is closed.
net::awaitable<void> Client::stop_loop() {
    while (stop_requests_ == 0) co_await stop_requested_.async_wait(net::use_result);
    data_.drain();
    if (session_)
        session_->close(stay_ == Stay::temporary ? Code::leaving : Code::restarting,
                        "the client is shutting down");
    retry_.cancel();
    co_await drain();
    {
        // The goodbye has its second to leave; a dial in progress gets no longer.
        const net::Deadline deadline(context_.get_executor(), goodbye_limit, [this] {
            connection_tasks_.cancel();
            bridges_.cancel();
        });
        co_await connection_tasks_.join();
        co_await bridges_.join();
    }
    tasks_.cancel();
    co_await tasks_.join();
    co_await data_.close_flows();
    co_await workers_.stop();
    log_.info("client stopped");
}

net::awaitable<void> Client::drain() {
    const auto end = Clock::now() + config_.drain;
    auto running = co_await workers_.running_relays();
    if (running > 0)
        log_.info("draining", {{"visitors", running}, {"limit", format_duration(config_.drain)}});
    while (running > 0 && stop_requests_ < 2 && Clock::now() < end) {
        stop_requested_.expires_after(drain_check_interval);
        co_await stop_requested_.async_wait(net::use_result);
        running = co_await workers_.running_relays();
    }
    if (running > 0) co_await workers_.abort_relays(net::RelayEnd::drained);
    log_.info("drained", {{"cut", running}});
}

}  // namespace tunnel::client
