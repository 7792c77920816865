#pragma once
// The whole server: builds its parts, runs them, and takes them down in order. Owner: main, or a test that
// runs both ends in one process. All public calls from the thread that calls run(), except request_stop() and
// request_reload().

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "common/core/log.hpp"
#include "common/net/worker.hpp"
#include "tunnel-server/access/client_access.hpp"
#include "tunnel-server/access/list_book.hpp"
#include "tunnel-server/admin/admin_api.hpp"
#include "tunnel-server/admin/admin_socket.hpp"
#include "tunnel-server/clients/client_book.hpp"
#include "tunnel-server/config/server_config.hpp"
#include "tunnel-server/listen/tunnel_port.hpp"
#include "tunnel-server/listen/visitor_door.hpp"
#include "tunnel-server/mappings/mapping_table.hpp"
#include "tunnel-server/sessions/session_table.hpp"
#include "tunnel-server/store/store_thread.hpp"
#include "tunnel-server/udp/udp_plane.hpp"

namespace tunnel::server {

class Server final : public ServerFacts {
  public:
    // What a reload reads; fails with every problem of the file.
    using ConfigSource = std::function<Result<ServerConfig>()>;

    // Opens the store, reads key and certificate, binds the tunnel port and the admin socket. Nothing is
    // served yet.
    static Result<std::unique_ptr<Server>> make(ServerConfig config, Log log, ConfigSource reload);
    ~Server();

    // Serves until request_stop(), then drains; returns when all is closed. `on_ready` runs once everything
    // listens.
    void run(std::function<void()> on_ready = nullptr);

    // Any thread. The first request drains for up to the configured time, the second ends at once.
    void request_stop();
    // Any thread. Reads the config again and applies what changed; a bad file changes nothing.
    void request_reload();

    // ServerFacts
    const ServerConfig& config() const override { return config_; }
    std::vector<std::string> listen_addresses() const override { return listen_addresses_; }
    Port tunnel_port() const override { return tunnel_port_number_; }
    std::string pin() const override { return pin_; }
    WallTime started_at() const override { return started_at_; }
    bool draining() const override { return stop_requests_ > 0; }
    std::uint64_t garbage_connections() const override;

  private:
    // What start-up read and made.
    struct Parts {
        Store store;
        StoreSnapshot snapshot;
        ListBook lists;
        std::shared_ptr<const tls::ServerContext> context;
    };
    Server(ServerConfig config, Log log, ConfigSource reload, Parts parts);

    Status open();
    TunnelPort::Hooks tunnel_port_hooks();
    StreamFailure stream_failure();
    MappingTable::Hooks mapping_hooks();
    ClientAccess::Hooks access_hooks();
    MappingTable::Rules mapping_rules() const;
    SessionSettings session_settings() const;
    void reload();
    void apply(ServerConfig next, std::shared_ptr<const tls::ServerContext> context);
    net::awaitable<void> sweep_loop();
    net::awaitable<void> stop_loop();
    net::awaitable<void> drain();
    void close_tunnel_port_once_unneeded();
    // Those who wait for a data connection and those who are served.
    net::awaitable<std::size_t> unfinished_visitors();
    // Of one mapping, or of all of a client's when its name is empty.
    void abort_relays_of(const MappingKey& key);
    void set_bandwidths_of(const MappingKey& key, net::Limiter limiter, const Bandwidths& bandwidths);
    // Reads the lists that have changed.
    net::awaitable<void> read_lists();

    ServerConfig config_;
    Log log_;
    ConfigSource reload_source_;
    WallTime started_at_;
    std::string pin_;
    std::vector<std::string> listen_addresses_;
    Port tunnel_port_number_ = 0;

    asio::io_context context_{1};
    net::WorkerPool workers_;
    StoreThread store_;
    ClientBook clients_;
    ListBook lists_;
    ClientAccess access_;
    VisitorDoor door_;
    std::unique_ptr<PairingGroup> pairings_;
    std::unique_ptr<UdpPlane> udp_;
    std::unique_ptr<MappingTable> mappings_;
    std::unique_ptr<SessionTable> sessions_;
    std::unique_ptr<TunnelPort> tunnel_port_;
    std::unique_ptr<AdminApi> admin_api_;
    std::unique_ptr<AdminSocket> admin_socket_;
    net::TaskGroup tasks_;
    asio::steady_timer stop_requested_;
    int stop_requests_ = 0;
    unsigned sweeps_ = 0;
};

// Reads certificate and key of a config into what new control connections use.
Result<std::shared_ptr<const tls::ServerContext>> load_identity(const TlsOptions& options);

}  // namespace tunnel::server
