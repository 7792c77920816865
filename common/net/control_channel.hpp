#pragma once
// The control connection as both ends drive it: a socket, a TLS session and a wire::ControlLink, joined. One
// thread. Owner: the coroutine that awaits run().

#include <functional>
#include <optional>

#include "common/net/asio.hpp"
#include "common/net/unique_fd.hpp"
#include "common/tls/session.hpp"
#include "common/wire/control_link.hpp"

namespace tunnel::net {

// Brings the TLS handshake to its end, or fails; the alert that says why has been sent then. Cancelled by a
// Deadline on the socket.
awaitable<Status> tls_handshake(Descriptor& socket, tls::Session& session);

class ControlChannel {
  public:
    // The TLS handshake is complete; bytes it has already read are kept in `session`.
    ControlChannel(const asio::any_io_executor& executor, UniqueFd fd, tls::Session session,
                   wire::End our_end, wire::HeartbeatTimes times);
    ControlChannel(const ControlChannel&) = delete;
    ControlChannel& operator=(const ControlChannel&) = delete;

    // Reads, writes and keeps the heartbeat until the connection ends; returns why. Each message is given to
    // `on_message` on this thread, which may send() and close() but not destroy the channel.
    using MessageHandler = std::function<void(const wire::ControlMessage&)>;
    awaitable<Error> run(MessageHandler on_message);

    // Queues a message; does nothing once the channel is ending. A peer that takes nothing off its socket
    // while more than 4 MiB wait for it is given up.
    void send(const wire::ControlMessage& message);
    // Says goodbye, gives it up to a second to leave, and ends run() with Errc::closed and `goodbye.message`.
    void close(const wire::Goodbye& goodbye) { close(goodbye, {Errc::closed, goodbye.message, 0}); }
    // The same, and run() ends with this reason.
    void close(const wire::Goodbye& goodbye, Error reason);
    // Ends run() at once with this reason.
    void abort(Error reason);

    // Exported keying material of the TLS session (RFC 5705).
    Result<Secret> export_key(std::string_view label, std::size_t length) const;
    std::optional<std::chrono::microseconds> round_trip() const { return link_.round_trip(); }
    void set_times(wire::HeartbeatTimes times);

  private:
    awaitable<void> read_loop(MessageHandler on_message);
    awaitable<void> write_loop();
    awaitable<void> heartbeat_loop();
    // Until the time, or until somebody cancels the timer; false when the whole task was cancelled.
    awaitable<bool> heartbeat_wait(TimePoint until);
    Status take_input(const MessageHandler& on_message);
    void input_ended(const Error& reason);
    void flush();

    Descriptor socket_;
    tls::Session session_;
    wire::ControlLink link_;
    Bytes outgoing_;                   // TLS bytes not yet given to the socket
    asio::steady_timer output_ready_;  // cancelled when there is something to write or the channel ends
    asio::steady_timer heartbeat_;     // cancelled when its deadline may have changed or the channel ends
    std::optional<Error> closing_;     // why the channel ends once all output has left
    std::optional<Error> ended_;
};

}  // namespace tunnel::net
