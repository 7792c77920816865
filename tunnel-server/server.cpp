#include "tunnel-server/server.hpp"

#include <algorithm>
#include <thread>

#include "common/config/files.hpp"
#include "common/core/version.hpp"
#include "common/net/deadline.hpp"
#include "common/net/hop.hpp"
#include "common/net/process.hpp"
#include "common/net/socket.hpp"

namespace tunnel::server {

namespace {

constexpr Millis sweep_interval{500};
constexpr Millis drain_check_interval{50};
// Traffic of the last ten seconds may be forgotten by a server that is killed.
constexpr unsigned sweeps_between_uses = 20;
// Data connections that are ready even for a client whom nobody visits.
constexpr std::size_t floor_of_pool = 2;
// For the sockets of a server that was killed a moment ago: with io_uring(7) the kernel closes them in the
// background, after the process is gone.
constexpr Seconds predecessor_limit{3};
constexpr Millis predecessor_check_interval{10};

net::Liveness liveness_of(const ServerConfig& config) {
    return {config.heartbeat.interval, config.heartbeat.timeout};
}

Admission::Limits admission_limits(const ServerConfig& config) {
    return {config.limits.unauthenticated, config.limits.unauthenticated_per_address};
}

// Listens, and while another program holds the address, waits for it a little. Blocks: nothing runs yet.
template <class Listen>
Status listen_after_predecessor(const Log& log, Listen listen) {
    const auto end = Clock::now() + predecessor_limit;
    auto listening = listen();
    if (!listening && listening.error().code == Errc::conflict)
        log.info("waiting for an address", {{"reason", listening.error().message},
                                            {"limit", format_duration(Millis(predecessor_limit))}});
    while (!listening && listening.error().code == Errc::conflict && Clock::now() < end) {
        std::this_thread::sleep_for(predecessor_check_interval);
        listening = listen();
    }
    return listening;
}

}  // namespace

Result<std::shared_ptr<const tls::ServerContext>> load_identity(const TlsOptions& options) {
    auto certificate = config::read_file(options.certificate);
    if (!certificate) return pass(std::move(certificate.error()));
    auto key_text = config::read_file(options.key);
    if (!key_text) return pass(std::move(key_text.error()));
    const Secret key(view_of(*key_text));
    wipe(*key_text);
    return tls::ServerContext::make(*certificate, key);
}

Result<std::unique_ptr<Server>> Server::make(ServerConfig config, Log log, ConfigSource reload) {
    auto context = load_identity(config.tls);
    if (!context) return pass(std::move(context.error()));
    auto store = Store::open(config.store.path);
    if (!store) return pass(std::move(store.error()));
    auto snapshot = store->load_all();
    if (!snapshot) return pass(std::move(snapshot.error()));
    ListBook lists(log);
    if (auto ok = lists.set_files(config.lists); !ok) return pass(std::move(ok.error()));
    std::unique_ptr<Server> server;
    try {
        server.reset(
            new Server(std::move(config), std::move(log), std::move(reload),
                       {std::move(*store), std::move(*snapshot), std::move(lists), std::move(*context)}));
    } catch (const std::system_error& error) {
        return pass(net::event_loop_error(error));
    }
    if (auto ok = server->open(); !ok) return pass(std::move(ok.error()));
    return server;
}

Server::Server(ServerConfig config, Log log, ConfigSource reload, Parts parts)
    : config_(std::move(config)),
      log_(std::move(log)),
      reload_source_(std::move(reload)),
      started_at_(std::chrono::system_clock::now()),
      pin_(parts.context->pin().to_string()),
      workers_(config_.workers, log_,
               net::KernelTls::if_wanted(config_.kernel_tls == config::KernelTlsChoice::automatic, log_)),
      store_(std::move(parts.store)),
      clients_(parts.snapshot.clients),
      lists_(std::move(parts.lists)),
      access_(log_, lists_, access_hooks()),
      door_(log_,
            [this](net::Worker& worker, std::shared_ptr<const Route> route, Visitor visitor) {
                pairings_->at(worker.index()).visitor(std::move(route), std::move(visitor));
            }),
      tasks_(context_.get_executor(),
             [this](const std::exception& bug) {
                 log_.error("bug in the server", {{"what", bug.what()}});
             }),
      stop_requested_(context_, asio::steady_timer::time_point::max()) {
    tunnel_port_ = std::make_unique<TunnelPort>(workers_, log_, tunnel_port_hooks(),
                                                admission_limits(config_), std::move(parts.context));
    pairings_ = std::make_unique<PairingGroup>(workers_, context_.get_executor(), stream_failure());
    udp_ = std::make_unique<UdpPlane>(workers_, *pairings_, stream_failure());
    mappings_ = std::make_unique<MappingTable>(workers_, log_, mapping_rules(),
                                               MappingTable::Access{lists_, access_}, mapping_hooks());
    sessions_ = std::make_unique<SessionTable>(context_.get_executor(), log_, clients_, *mappings_,
                                               *pairings_, session_settings());
    admin_api_ = std::make_unique<AdminApi>(context_.get_executor(), log_, *this, workers_, store_, clients_,
                                            access_, *mappings_, *sessions_);
    admin_socket_ = std::make_unique<AdminSocket>(
        context_.get_executor(), log_,
        [this](proto::AdminRequest request) { return admin_api_->handle(std::move(request)); });
    for (const auto& client : parts.snapshot.clients) {
        access_.load(client.name, client.use);
        access_.set(client.name, client.settings);
    }
    mappings_->load(parts.snapshot);
}

Server::~Server() = default;

Status Server::open() {
    tunnel_port_->set_trusted(config_.websocket.trusted);
    auto listening = listen_after_predecessor(
        log_, [this] { return tunnel_port_->listen(config_.listen, liveness_of(config_)); });
    if (!listening) return listening;
    for (const auto& address : tunnel_port_->addresses()) {
        listen_addresses_.push_back(net::to_text(address));
        tunnel_port_number_ = address.port();
    }
    udp_->take_packets(tunnel_port_->addresses(), log_);
    workers_.set_liveness(liveness_of(config_));
    pairings_->set_liveness(liveness_of(config_));
    return listen_after_predecessor(
        log_, [this] { return admin_socket_->listen(config_.admin.socket, config_.admin.group); });
}

TunnelPort::Hooks Server::tunnel_port_hooks() {
    const auto control = context_.get_executor();
    TunnelPort::Hooks hooks;
    hooks.on_control = [this, control](NewControl stranger) {
        asio::post(control, [this, stranger = std::move(stranger)]() mutable {
            sessions_->adopt(std::move(stranger));
        });
    };
    hooks.on_data_connection = [this](net::Worker& worker, net::UniqueFd fd,
                                      const wire::PrefaceBytes& preface, const net::tcp::endpoint& peer) {
        pairings_->at(worker.index()).data_connection(std::move(fd), preface, peer);
    };
    return hooks;
}

StreamFailure Server::stream_failure() {
    return [this, control = context_.get_executor()](const MappingKey& key, const std::string& reason) {
        asio::post(control, [this, key, reason] { mappings_->note_error(key, reason); });
    };
}

MappingTable::Hooks Server::mapping_hooks() {
    MappingTable::Hooks hooks;
    hooks.on_visitor = [this](net::Worker& worker, std::shared_ptr<const Route> route,
                              net::Accepted accepted) {
        door_.enter(worker, std::move(route), std::move(accepted));
    };
    hooks.open_udp = [this](const PublicPlace& place, const std::shared_ptr<RouteCell>& routes) {
        return udp_->open(place, routes);
    };
    hooks.on_change = [this](const SeatKey& seat) {
        if (sessions_) sessions_->mappings_changed(seat);
    };
    hooks.on_removed = [this](const MappingKey& key) { abort_relays_of(key); };
    hooks.on_bandwidths = [this](const MappingKey& key, const Bandwidths& bandwidths) {
        set_bandwidths_of(key, net::Limiter::mapping, bandwidths);
    };
    hooks.on_port_chosen = [this](const MappingKey& key, Port port) {
        store_.post([key, port, log = log_](Store& store) {
            if (auto ok = store.set_assigned_port(key.client, key.name, port); !ok)
                log.warn("port not remembered", {{"mapping", key.name}, {"reason", ok.error().message}});
        });
    };
    return hooks;
}

ClientAccess::Hooks Server::access_hooks() {
    ClientAccess::Hooks hooks;
    hooks.on_change = [this](const std::string& client) {
        mappings_->client_changed(client);
        set_bandwidths_of({client, ""}, net::Limiter::client, access_.bandwidths(client));
    };
    hooks.on_used_up = [this](const std::string& client) { abort_relays_of({client, ""}); };
    hooks.on_use = [this](const std::string& client, const MonthlyUse& use) {
        store_.post([client, use, log = log_](Store& store) {
            if (auto ok = store.set_client_use(client, use); !ok)
                log.warn("traffic not remembered", {{"client", client}, {"reason", ok.error().message}});
        });
    };
    return hooks;
}

MappingTable::Rules Server::mapping_rules() const {
    return {config_.bind, config_.allow_ports, [this](Port port) { return tunnel_port_->owns_port(port); },
            printed_host(config_), config_.allow_unix};
}

SessionSettings Server::session_settings() const {
    return {{config_.heartbeat.interval, config_.heartbeat.timeout},
            config_.grace,
            config_.limits.waiting_visitors,
            {std::min<std::size_t>(floor_of_pool, config_.limits.ready_per_client),
             config_.limits.ready_per_client},
            config_.limits.ready,
            printed_host(config_),
            config_.cipher};
}

void Server::abort_relays_of(const MappingKey& key) {
    for (std::size_t i = 0; i < workers_.size(); ++i) {
        auto* const worker = &workers_.at(i);
        asio::post(worker->executor(),
                   [worker, key] { worker->relays().abort_of(key.client, key.name, net::RelayEnd::closed); });
    }
}

void Server::set_bandwidths_of(const MappingKey& key, net::Limiter limiter, const Bandwidths& bandwidths) {
    for (std::size_t i = 0; i < workers_.size(); ++i) {
        auto* const worker = &workers_.at(i);
        asio::post(worker->executor(), [worker, key, limiter, bandwidths] {
            worker->relays().set_bandwidths_of(key.client, key.name, limiter, bandwidths.in, bandwidths.out);
        });
    }
}

net::awaitable<void> Server::read_lists() {
    bool any = false;
    const auto files = lists_.look();
    for (const auto& changed : files) {
        // A long list takes some time, and that thread has time.
        auto pending = store_.run([path = changed.file.path](Store&) { return read_list(path); });
        auto read = co_await std::move(pending);
        any = lists_.take(changed, std::move(read)) || any;
    }
    if (!any) co_return;
    access_.lists_changed();
    mappings_->lists_changed();
}

std::uint64_t Server::garbage_connections() const {
    return tunnel_port_->counters().garbage_connections;
}

void Server::run(std::function<void()> on_ready) {
    workers_.start();
    tasks_.spawn(sweep_loop());
    net::spawn_unowned(context_.get_executor(), stop_loop());
    log_.info("server ready", {{"listen", fmt::format("{}", fmt::join(listen_addresses_, ","))},
                               {"admin", config_.admin.socket},
                               {"workers", workers_.size()},
                               {"clients", clients_.all().size()},
                               {"version", version}});
    if (on_ready) on_ready();
    context_.run();
}

void Server::request_stop() {
    asio::post(context_, [this] {
        ++stop_requests_;
        stop_requested_.cancel();
    });
}

void Server::request_reload() {
    asio::post(context_, [this] { reload(); });
}

net::awaitable<void> Server::sweep_loop() {
    for (;;) {
        const bool passed = co_await net::pause_for(sweep_interval);
        if (!passed) co_return;
        sessions_->sweep(Clock::now());
        access_.count(std::chrono::system_clock::now());
        if (++sweeps_ % sweeps_between_uses == 0) access_.keep_uses(std::chrono::system_clock::now());
        co_await read_lists();
    }
}

// The end of the server, in order: no new visitors, running ones finish until the deadline, then all is
// closed.
net::awaitable<void> Server::stop_loop() {
    while (stop_requests_ == 0) co_await stop_requested_.async_wait(net::use_result);
    mappings_->close_all();
    // The tunnel port stays open meanwhile: visitors who came before are still waiting for their data
    // connections.
    co_await drain();
    tunnel_port_->close();
    co_await sessions_->shut_down();
    pairings_->close();
    co_await admin_socket_->stop();
    tasks_.cancel();
    co_await tasks_.join();
    co_await udp_->close();
    co_await workers_.stop();
    access_.count(std::chrono::system_clock::now());
    access_.keep_uses(std::chrono::system_clock::now());
    log_.info("server stopped");
}

// Visitors who came before the end still wait for their data connections.
void Server::close_tunnel_port_once_unneeded() {
    if (sessions_->waiting() == 0) tunnel_port_->close();
}

net::awaitable<std::size_t> Server::unfinished_visitors() {
    // One may be on its way to a worker, or back: looked at on both sides of the workers' turns.
    const auto before = sessions_->waiting();
    const auto running = co_await workers_.running_relays();
    co_return std::max(before, sessions_->waiting()) + running;
}

net::awaitable<void> Server::drain() {
    const auto end = Clock::now() + config_.drain;
    close_tunnel_port_once_unneeded();
    auto running = co_await unfinished_visitors();
    log_.info("draining", {{"visitors", running}, {"limit", format_duration(config_.drain)}});
    while (running > 0 && stop_requests_ < 2 && Clock::now() < end) {
        stop_requested_.expires_after(drain_check_interval);
        co_await stop_requested_.async_wait(net::use_result);
        close_tunnel_port_once_unneeded();
        running = co_await unfinished_visitors();
    }
    if (running > 0) co_await workers_.abort_relays(net::RelayEnd::drained);
    log_.info("drained", {{"cut", running}});
}

void Server::reload() {
    auto next = reload_source_();
    if (!next) {
        log_.error("config reload refused", {{"file", config_.file}, {"reason", next.error().message}});
        return;
    }
    auto context = load_identity(next->tls);
    if (!context) {
        log_.error("config reload refused", {{"file", config_.file}, {"reason", context.error().message}});
        return;
    }
    const auto lists = lists_.set_files(next->lists);
    if (!lists) {
        log_.error("config reload refused", {{"file", config_.file}, {"reason", lists.error().message}});
        return;
    }
    apply(std::move(*next), std::move(*context));
    if (!*lists) return;
    access_.lists_changed();
    mappings_->lists_changed();
}

void Server::apply(ServerConfig next, std::shared_ptr<const tls::ServerContext> context) {
    for (const auto& setting : settings_needing_restart(config_, next))
        log_.warn("setting needs a restart", {{"setting", setting}});
    // What needs a restart keeps its value, so that the next reload compares with what is in force.
    next.listen = config_.listen;
    next.workers = config_.workers;
    next.store = config_.store;
    next.admin = config_.admin;
    config_ = std::move(next);
    pin_ = context->pin().to_string();
    log_.configure(config_.log.level, config_.log.format);
    tunnel_port_->set_context(std::move(context));
    tunnel_port_->set_trusted(config_.websocket.trusted);
    tunnel_port_->set_limits(admission_limits(config_));
    tunnel_port_->set_liveness(liveness_of(config_));
    workers_.set_liveness(liveness_of(config_));
    pairings_->set_liveness(liveness_of(config_));
    mappings_->set_rules(mapping_rules());
    sessions_->set_settings(session_settings());
    log_.info("config reloaded", {{"file", config_.file}});
}

}  // namespace tunnel::server
