#pragma once
// One control connection at the client, by one way: name to address, dial, what is on the way, TLS, login,
// and then the server's requests until it ends. Control thread. Owner: the coroutine that awaits run().

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/config/join_link.hpp"
#include "common/net/control_channel.hpp"
#include "common/net/dialer.hpp"
#include "common/net/task_group.hpp"
#include "common/tls/context.hpp"
#include "common/tls/key_schedule.hpp"
#include "tunnel-client/ways/way.hpp"

namespace tunnel::client {

// What a client needs to find its server and to know it.
struct ServerAccess {
    config::JoinLink link;
    Ways ways;  // at least one
};
// With the proxies that this process's environment names, unless the config does.
Result<std::shared_ptr<const ServerAccess>> make_access(const ClientConfig& config,
                                                        const config::JoinLink& link);

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
    bool reached = false;  // the first hop of the way took the connection
};

class ControlSession {
  public:
    // All on the control thread, from within run().
    struct Handlers {
        std::function<void(const wire::LoginAccepted&)> on_accepted;
        std::function<void(const wire::MappingStates&)> on_states;
        std::function<void(tls::TicketKey)> on_ticket;
    };
    ControlSession(net::TaskGroup& bridges, std::shared_ptr<const ServerAccess> access,
                   std::shared_ptr<const Way> way, LoginOptions login, wire::HeartbeatTimes times,
                   Handlers handlers);
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
    const std::shared_ptr<const Way>& way() const { return way_; }
    // Where its first connection went.
    const net::tcp::endpoint& first_hop() const { return first_hop_; }
    // Of data connections, once the login was accepted.
    Cipher cipher() const { return cipher_; }

  private:
    net::awaitable<Result<net::UniqueFd>> connect(net::Resolver& resolver);
    tl::unexpected<Error> no_proxy(const Error& error) const;
    net::awaitable<Status> open_channel(net::UniqueFd fd);
    Status log_in();
    void on_message(const wire::ControlMessage& message);
    void on_accepted(const wire::LoginAccepted& accepted);
    void take_tickets(const wire::Dial& dial);

    asio::any_io_executor executor_;
    net::TaskGroup& bridges_;
    std::shared_ptr<const ServerAccess> access_;
    std::shared_ptr<const Way> way_;
    LoginOptions login_;
    wire::HeartbeatTimes times_;
    Handlers handlers_;
    std::optional<net::ControlChannel> channel_;
    std::optional<tls::KeyChain> chain_;
    std::optional<wire::Goodbye> goodbye_;
    SessionId id_;
    Cipher cipher_ = Cipher::aes_128_gcm;
    net::tcp::endpoint first_hop_;
    bool reached_ = false;
    bool logged_in_ = false;
    bool closed_ = false;
};

}  // namespace tunnel::client
