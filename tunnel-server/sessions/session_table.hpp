#pragma once
// Who is connected, who waits for whom. A seat is a client's place at the server (SeatKey): at most one
// session stands in it, and visitors of its mappings wait there until a data connection comes for them. A
// newer session of the same client takes the seat over at once. When a session drops, its seat stays for the
// grace time with listeners open. Control thread.

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/core/log.hpp"
#include "common/net/task_group.hpp"
#include "tunnel-server/clients/client_book.hpp"
#include "tunnel-server/mappings/mapping_table.hpp"
#include "tunnel-server/pool/pairing_group.hpp"
#include "tunnel-server/pool/seat_pool.hpp"
#include "tunnel-server/sessions/session.hpp"

namespace tunnel::server {

struct SessionSettings {
    wire::HeartbeatTimes heartbeat;
    Millis grace{15'000};
    std::size_t waiting_visitors = 1024;  // of one seat
    PoolSize::Limits pool;                // of one seat
    std::size_t ready_in_all = 4096;      // data connections ahead of need
    std::string public_host;
    CipherSetting cipher;  // of data connections of sessions that begin from now on
};

class SessionTable final : public SessionEvents, public PairingEvents {
  public:
    SessionTable(const asio::any_io_executor& executor, Log log, ClientBook& clients, MappingTable& mappings,
                 PairingGroup& pairings, SessionSettings settings);

    // A stranger whose TLS handshake is complete.
    void adopt(NewControl control);
    // The client should be told its mappings' states: soon, once for many changes.
    void mappings_changed(const SeatKey& seat);
    // Ends the sessions of a client. Errc::not_found when it has none.
    Status close_sessions(const std::string& client, wire::Goodbye::Code code, const std::string& message);
    // Frees the client's seats at once, waiting visitors included.
    void drop_seats(const std::string& client);

    std::vector<const Session*> sessions() const;
    // "connected", "away", or nothing.
    std::optional<Presence> presence(const std::string& client) const;
    std::uint64_t refused_logins() const { return refused_logins_; }
    const PairingCounters& pairing_counters() const { return pairings_.counters(); }
    // Data connections of a seat that wait for visitors.
    std::size_t ready(const SeatKey& seat) const;
    // Visitors of connected clients who wait for a data connection.
    std::size_t waiting() const;
    void set_settings(SessionSettings settings);

    // Once a second or so: ends waits and graces that are over.
    void sweep(TimePoint now);

    // Shutdown: tells every client that the server goes, refuses who waits, and ends all sessions.
    net::awaitable<void> shut_down();

    // SessionEvents
    tl::expected<Cipher, wire::Goodbye> on_login(Session& session, const wire::Login& login,
                                                 const Secret& binding) override;
    void on_logged_in(Session& session) override;
    void on_declare(Session& session, const wire::Declare& declare) override;
    void on_objection(Session& session, const wire::MappingObjection& objection) override;
    void on_dial_failed(Session& session, const wire::DialFailed& failed) override;
    void on_health(Session& session, const wire::HealthReport& report) override;

    // PairingEvents
    void on_notice(const PoolNotice& notice) override;
    void on_waiting(WaitingVisitor visitor) override;

  private:
    struct Waiting {
        WaitingVisitor visitor;
        std::optional<TimePoint> deadline;  // none while the client is away: the grace time counts then
        int dials_failed = 0;
    };
    struct Seat {
        explicit Seat(SeatPool with) : pool(std::move(with)) {}
        Session* session = nullptr;
        bool declared = false;  // the present session has sent its mappings
        bool has_mappings = false;
        TimePoint away_since{};
        std::deque<Waiting> waiting;
        SeatPool pool;
        bool states_wanted = false;
    };
    using Seats = std::map<SeatKey, Seat>;

    net::awaitable<void> serve(NewControl control);
    void ended(Session& session, const Error& reason);
    void leave_seat(Session& session);
    Seats::iterator drop_seat(Seats::iterator at);
    // Sends waiting visitors to where data connections are ready.
    void pair_waiting(Seat& seat);
    // Asks the client for the data connections that are missing.
    void dial(Seat& seat);
    void note_waiting(Seat& seat);
    // What is wanted of a seat's client is sent once for everything that happens in one turn of the event
    // loop.
    void flush_soon(const SeatKey& key);
    void flush();
    void flush(const SeatKey& key, Seat& seat);
    // Its client is away: those in groups go to members that are up.
    void move_elsewhere(Seat& seat);
    // Unless another member of a group may serve it.
    void refuse(Waiting waiting, const std::string& reason);
    void drop_broken(Seat& seat);
    void sweep(const SeatKey& key, Seat& seat, TimePoint now);
    tl::unexpected<wire::Goodbye> refuse_login(const Session& session, const Error& error,
                                               const std::string& reason_for_log);

    asio::any_io_executor executor_;
    Log log_;
    ClientBook& clients_;
    MappingTable& mappings_;
    PairingGroup& pairings_;
    SessionSettings settings_;
    net::TaskGroup tasks_;
    Seats seats_;
    std::unordered_map<SessionId, Session*> by_id_;
    std::size_t ready_room_ = 0;  // of settings_.ready_in_all, as of the last sweep
    std::uint64_t refused_logins_ = 0;
    std::set<SeatKey> to_flush_;
    bool shutting_down_ = false;
};

}  // namespace tunnel::server
