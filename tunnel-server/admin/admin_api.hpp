#pragma once
// What the admin API does. Every answer is a result or an error with a code and a sentence. Changes are made
// one after the other: each asks the store first and changes the running server only once the store has said
// yes. Control thread.

#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "common/net/worker.hpp"
#include "proto/admin.pb.h"
#include "tunnel-server/clients/client_book.hpp"
#include "tunnel-server/config/server_config.hpp"
#include "tunnel-server/mappings/mapping_table.hpp"
#include "tunnel-server/sessions/session_table.hpp"
#include "tunnel-server/store/store_thread.hpp"

namespace tunnel::server {

// What the API needs to know of the whole server.
class ServerFacts {
  public:
    virtual const ServerConfig& config() const = 0;
    virtual std::vector<std::string> listen_addresses() const = 0;
    virtual Port tunnel_port() const = 0;
    virtual std::string pin() const = 0;
    virtual WallTime started_at() const = 0;
    virtual bool draining() const = 0;
    virtual std::uint64_t garbage_connections() const = 0;

  protected:
    ~ServerFacts() = default;
};

class AdminApi {
  public:
    AdminApi(const asio::any_io_executor& executor, Log log, const ServerFacts& facts,
             net::WorkerPool& workers, StoreThread& store, ClientBook& clients, ClientAccess& access,
             MappingTable& mappings, SessionTable& sessions);

    net::awaitable<proto::AdminResponse> handle(proto::AdminRequest request);

  private:
    using Response = proto::AdminResponse;

    net::awaitable<Result<Response>> dispatch(const proto::AdminRequest& request);
    net::awaitable<Result<Response>> change(const proto::AdminRequest& request);

    net::awaitable<Result<Response>> status();
    net::awaitable<Result<Response>> client_add(proto::ClientAdd request);
    net::awaitable<Result<Response>> client_set(proto::ClientSet request);
    Result<Response> client_show(const std::string& name) const;
    net::awaitable<Result<Response>> client_rotate(std::string name);
    net::awaitable<Result<Response>> client_remove(std::string name);
    Result<Response> client_list() const;
    net::awaitable<Result<Response>> mapping_add(proto::MappingAdd request);
    net::awaitable<Result<Response>> mapping_remove(proto::MappingQuery query);
    net::awaitable<Result<Response>> mapping_pause(proto::MappingQuery query, bool paused);
    net::awaitable<Result<Response>> mapping_drain(proto::MemberQuery query, bool drained);
    net::awaitable<Result<Response>> mapping_show(proto::MappingQuery query);
    net::awaitable<Result<Response>> mapping_list(proto::MappingQuery query);
    Result<Response> session_list() const;
    Result<Response> session_close(const std::string& client);
    net::awaitable<Result<Response>> connection_list(proto::MappingQuery query);
    net::awaitable<Result<Response>> connection_close(std::uint64_t id);

    // The relays that run on all workers.
    net::awaitable<std::vector<net::RelaySnapshot>> relays();
    net::awaitable<void> abort_relays_of(std::string client, std::string mapping);
    Result<Response> link_for(const std::string& name, const Secret& secret) const;
    Status check_client(const std::string& name) const;

    asio::any_io_executor executor_;
    Log log_;
    const ServerFacts& facts_;
    net::WorkerPool& workers_;
    StoreThread& store_;
    ClientBook& clients_;
    ClientAccess& access_;
    MappingTable& mappings_;
    SessionTable& sessions_;
    bool changing_ = false;
    asio::steady_timer change_ended_;
};

}  // namespace tunnel::server
