#pragma once
// One control connection at the client: name to address, dial, TLS, login, and then the server's requests
// until it ends. Control thread. Owner: the coroutine that awaits run().

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/config/join_link.hpp"
#include "common/net/control_channel.hpp"
#include "common/net/dialer.hpp"
#include "common/tls/context.hpp"
#include "common/tls/key_schedule.hpp"

namespace tunnel::client {

// What a client needs to find its server and to know it.
struct ServerAccess {
    config::JoinLink link;
    std::shared_ptr<const tls::ClientContext> context;
};
// `ca_file` is the CA bundle to use instead of the system's, or empty.
Result<std::shared_ptr<const ServerAccess>> make_access(const config::JoinLink& link,
                                                        const std::string& ca_file);

struct LoginOptions {
    std::string slot;            // empty: the client's `run`
    std::uint64_t instance = 0;  // of this process
    bool takeover = true;
    std::vector<Cipher> ciphers;  // as offered_ciphers() has them
};

// How a control connection ended.
struct ControlEnd {
    Error reason;
    std::optional<wire::Goodbye> goodbye;  // what the server said last
    bool logged_in = false;
};

class ControlSession {
  public:
    // All on the control thread, from within run().
    struct Handlers {
        std::function<void(const wire::LoginAccepted&)> on_accepted;
        std::function<void(const wire::MappingStates&)> on_states;
        std::function<void(tls::TicketKey)> on_ticket;
    };
    ControlSession(const asio::any_io_executor& executor, std::shared_ptr<const ServerAccess> access,
                   LoginOptions login, wire::HeartbeatTimes times, Handlers handlers);
    ControlSession(const ControlSession&) = delete;
    ControlSession& operator=(const ControlSession&) = delete;

    net::awaitable<ControlEnd> run(net::Resolver& resolver);

    // These do nothing before the login was accepted and after the end.
    void declare(std::vector<wire::MappingSpec> mappings);
    void object(const std::string& mapping, const std::string& reason);
    void report(wire::HealthReport report);
    void dial_failed(TicketNumber ticket, const std::string& reason);
    void set_times(wire::HeartbeatTimes times);
    // At any time.
    void close(wire::Goodbye::Code code, const std::string& message);

    SessionId id() const { return id_; }
    const net::tcp::endpoint& server() const { return server_; }
    // Of data connections, once the login was accepted.
    Cipher cipher() const { return cipher_; }

  private:
    net::awaitable<Result<net::UniqueFd>> connect(net::Resolver& resolver);
    net::awaitable<Status> open_channel(net::UniqueFd fd);
    Status log_in();
    void on_message(const wire::ControlMessage& message);
    void on_accepted(const wire::LoginAccepted& accepted);
    void take_tickets(const wire::Dial& dial);

    asio::any_io_executor executor_;
    std::shared_ptr<const ServerAccess> access_;
    LoginOptions login_;
    wire::HeartbeatTimes times_;
    Handlers handlers_;
    std::optional<net::ControlChannel> channel_;
    std::optional<tls::KeyChain> chain_;
    std::optional<wire::Goodbye> goodbye_;
    SessionId id_;
    Cipher cipher_ = Cipher::aes_128_gcm;
    net::tcp::endpoint server_;
    bool logged_in_ = false;
    bool closed_ = false;
};

}  // namespace tunnel::client
