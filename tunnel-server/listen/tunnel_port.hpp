#pragma once
// The tunnel port: takes control connections (TLS) and data connections (preface) on one address and tells
// them apart by the first byte. Either may come inside WebSocket: over TLS, or as plain HTTP from a web
// server in front that is trusted. Made on the control thread; accepts, shakes hands and reads prefaces on
// the workers. Every step has a deadline, and strangers are limited in number by Admission.

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "common/core/address.hpp"
#include "common/core/log.hpp"
#include "common/net/listener.hpp"
#include "common/net/outer_stream.hpp"
#include "common/net/worker.hpp"
#include "common/tls/session.hpp"
#include "common/wire/preface.hpp"
#include "tunnel-server/listen/admission.hpp"

namespace tunnel::server {

// How a client's connections come.
enum class Way { direct, websocket };
std::string_view to_string(Way way);
// Without a port where a web server in front tells the address alone.
std::string peer_text(const net::tcp::endpoint& peer);

// A control connection whose TLS handshake is complete and that has yet to log in.
struct NewControl {
    net::UniqueFd fd;
    tls::Session session;
    net::tcp::endpoint peer;
    Admission::Place place;
    Way way;
};

struct TunnelPortCounters {
    std::atomic<std::uint64_t> garbage_connections{0};
    std::atomic<std::uint64_t> turned_away{0};  // by Admission
};

class TunnelPort {
  public:
    // All run on a worker.
    struct Hooks {
        std::function<void(NewControl)> on_control;
        // A data connection whose preface was read and not checked.
        std::function<void(net::Worker&, net::UniqueFd, const wire::PrefaceBytes&, const net::tcp::endpoint&)>
            on_data_connection;
    };

    TunnelPort(net::WorkerPool& workers, Log log, Hooks hooks, Admission::Limits limits,
               std::shared_ptr<const tls::ServerContext> context);

    // Listens on every address or on none.
    Status listen(const std::vector<HostPort>& addresses, net::Liveness liveness);
    // What it is really bound to.
    std::vector<net::tcp::endpoint> addresses() const;
    bool owns_port(Port port) const;
    // Stops accepting; connections in progress go on.
    void close();

    // Reload: for connections accepted from now on.
    void set_liveness(net::Liveness liveness);
    void set_context(std::shared_ptr<const tls::ServerContext> context);
    // Web servers whose plain HTTP is taken, and whose X-Forwarded-For is believed.
    void set_trusted(std::vector<Network> networks);
    void set_limits(Admission::Limits limits) { shared_->admission->set_limits(limits); }
    const TunnelPortCounters& counters() const { return shared_->counters; }

  private:
    // What the connections on the workers use, alive as long as one of them.
    struct Shared {
        Shared(Log to, Hooks with, Admission::Limits limits)
            : log(std::move(to)), hooks(std::move(with)), admission(std::make_shared<Admission>(limits)) {}
        Log log;
        Hooks hooks;
        std::shared_ptr<Admission> admission;
        TunnelPortCounters counters;
        std::shared_ptr<const tls::ServerContext> context();
        void set_context(std::shared_ptr<const tls::ServerContext> next);
        net::Liveness liveness();
        void set_liveness(net::Liveness next);
        bool trusts(const IpAddress& address);
        void set_trusted(std::vector<Network> next);

      private:
        std::mutex mutex_;
        std::shared_ptr<const tls::ServerContext> context_;
        net::Liveness liveness_;
        std::vector<Network> trusted_;
    };
    // A connection to the tunnel port, or one that was carried to it.
    struct Stranger {
        net::Descriptor socket;
        net::tcp::endpoint peer;
        Admission::Place place;
        Way way;
    };
    // A data connection whose preface has come with it needs no waiting; false for all others.
    static bool take_at_once(Shared& shared, net::Worker& worker, net::Accepted& accepted);
    static net::awaitable<void> serve(std::shared_ptr<Shared> shared, net::Worker& worker, Stranger stranger);
    static net::awaitable<void> serve_tls(std::shared_ptr<Shared> shared, net::Worker& worker,
                                          Stranger stranger);
    static net::awaitable<void> serve_websocket(std::shared_ptr<Shared> shared, net::Worker& worker,
                                                net::OuterStream outer, net::tcp::endpoint peer,
                                                Admission::Place place);
    static void note_garbage(Shared& shared, const net::tcp::endpoint& peer, std::string_view reason);

    net::WorkerPool& workers_;
    std::shared_ptr<Shared> shared_;
    std::vector<net::ListenSockets> listeners_;
};

}  // namespace tunnel::server
