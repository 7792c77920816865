#pragma once
// Pairs visitors with data connections on one worker. A visitor takes a ready data connection of this worker
// at once, without a word to the control thread; where there is none, or others wait already, it goes to the
// control thread, which finds one at another worker or has one dialled, and sends the visitor to where it is.
// That worker's thread only; the hooks post to the control thread.

#include <atomic>
#include <functional>
#include <memory>

#include "common/core/log.hpp"
#include "common/net/listener.hpp"
#include "common/net/worker.hpp"
#include "tunnel-server/pool/ready_pool.hpp"
#include "tunnel-server/pool/returned_connections.hpp"
#include "tunnel-server/sessions/ticket_registry.hpp"
#include "tunnel-server/streams/assignment.hpp"
#include "tunnel-server/streams/visitor_stream.hpp"

namespace tunnel::server {

// What happened to data connections of one session at one worker.
struct PoolNotice {
    enum class Kind {
        arrived,  // is ready now, as was asked for
        again,    // is ready now, because its visitor has gone
        taken,    // by a visitor of this worker
        lost,     // broke while it waited, or was closed as one too many
        missed,   // was promised to a visitor and is not there
    };
    Kind kind;
    SeatKey seat;
    SessionId session;
    std::size_t worker;
    std::size_t count = 1;
};

// Counted and shared by all workers.
struct PairingCounters {
    std::atomic<std::uint64_t> last_connection{0};
    std::atomic<std::uint64_t> visitors_total{0};
    std::atomic<std::uint64_t> refused_tickets{0};
    // Data connections that were dialled, and how often one became ready once more.
    std::atomic<std::uint64_t> dialled{0};
    std::atomic<std::uint64_t> reused{0};
};

class Pairing {
  public:
    struct Hooks {
        // Nothing is ready here for this visitor.
        std::function<void(WaitingVisitor)> on_waiting;
        std::function<void(std::vector<PoolNotice>)> on_notices;
        StreamFailure on_failure;
    };
    Pairing(net::Worker& worker, const TicketRegistry& tickets, PairingCounters& counters, Hooks hooks);

    // A visitor came to a mapping's listener and was let in.
    void visitor(std::shared_ptr<const Route> route, Visitor visitor);
    // Datagrams of a mapping need a data connection.
    void carrier(std::shared_ptr<const Route> route, std::shared_ptr<CarrierRequest> request);
    ConnectionId new_connection_id() { return ConnectionId{++counters_.last_connection}; }
    // A stranger's data connection whose preface was read.
    void data_connection(net::UniqueFd fd, const wire::PrefaceBytes& preface, const net::tcp::endpoint& peer);
    // One whose visitor has gone.
    void returned(Returned connection);
    // A visitor whom the control thread sends, because a connection of this session is ready here.
    void serve(WaitingVisitor visitor, SessionId session);
    void drop(const SeatKey& seat) { pool_.drop(seat); }
    void trim(const SeatKey& seat, std::size_t count);
    // Tells the control thread what it does not know yet.
    void tell();
    // Nothing is kept ready any more.
    void close();
    void set_liveness(net::Liveness liveness) { liveness_ = liveness; }

  private:
    // Its visitor has gone, and so has the service: it is ready for another.
    void again(Returned connection, const wire::PrefaceBytes& preface);
    void keep(net::ParkedSocket socket, Secret key, const wire::Preface& preface,
              const SessionTickets& tickets, PoolNotice::Kind kind);
    void refuse(const net::tcp::endpoint& peer, std::string_view reason);
    void pair(WaitingVisitor visitor);
    void open_stream(WaitingVisitor visitor, ReadyConnection connection);
    // The control thread is woken when it has to do something; what it only has to know goes with that, or
    // follows within a moment.
    enum class Urgency { now, soon };
    void notice(PoolNotice::Kind kind, const SeatKey& seat, SessionId session, Urgency urgency,
                std::size_t count = 1);
    // Whether half of what was ready for a seat is gone.
    bool runs_low(const SeatKey& seat, SessionId session) const;
    // Keepalive probes pass on every path that is alive at least this often.
    Millis longest_silence() const { return liveness_.interval + Seconds(2); }

    net::Worker& worker_;
    const TicketRegistry& tickets_;
    PairingCounters& counters_;
    Hooks hooks_;
    const StreamHooks stream_hooks_;
    net::Liveness liveness_;
    ReadyPool pool_;
    ReturnedConnections returned_;
    std::vector<PoolNotice> untold_;
    asio::steady_timer tell_soon_;
    bool telling_now_ = false;
    bool telling_soon_ = false;
    bool closed_ = false;
};

}  // namespace tunnel::server
