#pragma once
// One control connection at the server, from the end of its TLS handshake to its own end: login, then the
// client's declarations and the server's requests. Control thread. Owner: the task in SessionTable that
// awaits run().

#include <optional>
#include <string>

#include "common/net/control_channel.hpp"
#include "common/net/worker.hpp"
#include "tunnel-server/listen/tunnel_port.hpp"
#include "tunnel-server/mappings/mapping_table.hpp"
#include "tunnel-server/sessions/ticket_registry.hpp"

namespace tunnel::server {

class Session;

// What a session tells its table. All on the control thread, from within run().
class SessionEvents {
  public:
    // Decides over a login. Accepted: the session stands in its seat, and its data connections have this
    // cipher.
    virtual tl::expected<Cipher, wire::Goodbye> on_login(Session& session, const wire::Login& login,
                                                         const Secret& binding) = 0;
    // Right after an accepted on_login: its tickets are there.
    virtual void on_logged_in(Session& session) = 0;
    virtual void on_declare(Session& session, const wire::Declare& declare) = 0;
    virtual void on_objection(Session& session, const wire::MappingObjection& objection) = 0;
    virtual void on_dial_failed(Session& session, const wire::DialFailed& failed) = 0;
    virtual void on_health(Session& session, const wire::HealthReport& report) = 0;

  protected:
    ~SessionEvents() = default;
};

class Session {
  public:
    Session(const asio::any_io_executor& executor, SessionEvents& events, NewControl control,
            wire::HeartbeatTimes times, std::string public_host);
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    // Returns why the control connection ended.
    net::awaitable<Error> run();

    void close(wire::Goodbye::Code code, std::string message) { channel_.close({code, std::move(message)}); }
    void send(const wire::ControlMessage& message) { channel_.send(message); }
    // Asks the client for that many data connections.
    void dial(std::size_t count);

    SessionId id() const { return id_; }
    const SeatKey& seat() const { return seat_; }
    std::uint64_t instance() const { return instance_; }
    const std::string& address() const { return address_; }
    Way way() const { return way_; }
    const std::string& software() const { return software_; }
    WallTime since() const { return since_; }
    bool logged_in() const { return tickets_ != nullptr; }
    // The client said that it leaves for good, so there is nothing to wait for.
    bool leaving() const { return leaving_; }
    std::optional<std::chrono::microseconds> round_trip() const { return channel_.round_trip(); }
    // Once it is logged in.
    const std::shared_ptr<SessionTickets>& tickets() const { return tickets_; }
    void set_times(wire::HeartbeatTimes times) { channel_.set_times(times); }

  private:
    void on_message(const wire::ControlMessage& message);
    void log_in(const wire::Login& login);

    SessionEvents& events_;
    net::ControlChannel channel_;
    std::string public_host_;
    Admission::Place place_;  // held until the login
    SessionId id_;
    SeatKey seat_;
    std::uint64_t instance_ = 0;
    std::string address_;
    Way way_;
    std::string software_;
    WallTime since_;
    bool leaving_ = false;
    std::shared_ptr<SessionTickets> tickets_;
};

}  // namespace tunnel::server
