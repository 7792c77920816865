#pragma once
// The client's data connections: dials one for each ticket, waits for the stream that the server opens on it,
// dials the service, and relays. Work is spread over the workers; open() and the setters belong to the
// control thread.

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "common/net/dialer.hpp"
#include "common/net/watched_socket.hpp"
#include "common/net/worker.hpp"
#include "common/tls/key_schedule.hpp"
#include "common/wire/preface.hpp"
#include "tunnel-client/services/service_dialer.hpp"
#include "tunnel-client/services/service_rules.hpp"
#include "tunnel-client/udp/client_udp_worker.hpp"
#include "tunnel-client/ways/way.hpp"

namespace tunnel::client {

struct OpenedStream;

// A data connection to be dialled. A value that crosses threads.
struct DataJob {
    std::shared_ptr<const Way> way;  // the control connection's
    net::tcp::endpoint first_hop;    // the address that it reached
    SessionId session;
    tls::TicketKey ticket;
    Cipher cipher;
    net::Liveness liveness;
    // On the worker: the data connection could not be opened, or ended before a visitor came. Only the server
    // knows whether it has seen the ticket. Null when it has.
    std::function<void(TicketNumber, const std::string& reason)> on_failed;
};

class DataPlane {
  public:
    DataPlane(net::WorkerPool& workers, Log log, std::string client_name,
              std::shared_ptr<const ServiceRules> rules);

    void open(DataJob job);
    // For streams that are opened from now on, on data connections that are ready already too.
    void set_rules(std::shared_ptr<const ServiceRules> rules);
    // From now on streams are answered with "draining"; running visitors go on.
    void drain() { draining_ = true; }
    // Ends the flows of UDP mappings; before the workers stop.
    net::awaitable<void> close_flows();

  private:
    struct PerWorker {
        PerWorker(net::Worker& at, const Log& log) : worker(at), resolver(at.executor()), udp(at, log) {}
        net::Worker& worker;
        net::Resolver resolver;
        ClientUdpWorker udp;
    };
    // A data connection that waits for its next stream.
    struct Waiting {
        DataJob job;
        wire::Preface preface;
        std::unique_ptr<net::WatchedSocket> socket;
    };
    net::awaitable<void> serve(PerWorker& at, DataJob job);
    net::awaitable<void> serve_stream(PerWorker& at, Waiting waiting);
    net::awaitable<void> serve_datagrams(PerWorker& at, OpenedStream stream, const DataJob& job);
    // Joins the stream with its service.
    void relay(PerWorker& at, Waiting waiting, OpenedStream stream, ServiceSocket service, BytesView answer);
    // The stream has ended, its data connection goes on.
    void serve_again(PerWorker& at, Waiting next, net::RelayResult result);

    std::shared_ptr<const ServiceRules> rules() const;

    net::WorkerPool& workers_;
    Log log_;
    std::string client_name_;
    std::vector<std::unique_ptr<PerWorker>> per_worker_;
    std::size_t next_ = 0;
    mutable std::mutex mutex_;
    std::shared_ptr<const ServiceRules> rules_;
    std::atomic<bool> draining_{false};
    std::atomic<std::uint64_t> last_connection_{0};
};

}  // namespace tunnel::client
