#pragma once
// One TLS 1.2 connection as a sans-I/O object: the peer's bytes go in with feed(), ours come out with
// take_output(). No socket, no thread of its own; used by one thread at a time. TLS 1.2 with ECDHE and an
// AEAD cipher only, no tickets, no renegotiation, extended master secret (RFC 7627) required, so that
// exported keys are bound to this one handshake.
//
// The driver's loop: feed() what the socket gave, call handshake() until it is true, then read() until it
// gives 0; after every call send take_output(), after a failed one too: it holds the alert that tells the
// peer why.

#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>

#include "common/core/bytes.hpp"
#include "common/core/result.hpp"
#include "common/core/secret.hpp"
#include "common/tls/context.hpp"

namespace tunnel::tls {

class Session {
  public:
    // The session keeps the context alive.
    static Session server(std::shared_ptr<const ServerContext> context);
    static Session client(std::shared_ptr<const ClientContext> context);
    Session(Session&&) noexcept;
    Session& operator=(Session&&) noexcept;
    ~Session();

    // The most bytes fed and not yet consumed by handshake() or read(). Both consume all they are given while
    // they ask for more, so a driver that drains before it feeds again can always feed this much at once.
    static constexpr std::size_t max_unread = std::size_t{64} * 1024;
    // How many bytes feed() takes now.
    std::size_t room() const;
    // Takes bytes from the peer. More than room() is the driver's mistake: the session fails with Errc::limit
    // at the next call instead of growing.
    void feed(BytesView from_peer);

    // True when the handshake is complete, false while it needs more input. The client's first call makes the
    // ClientHello. Errors: Errc::unauthenticated (wrong pin, untrusted, expired or wrong-host certificate),
    // Errc::protocol (not TLS, no common cipher, no extended master secret, the peer's alert by its name). An
    // error is final: every later call returns it again.
    Result<bool> handshake();
    bool established() const;

    // Up to out.size() bytes of the peer's data; 0: feed more. Errc::closed after the peer's close_notify,
    // Errc::protocol for a broken record or an alert. A socket that ends without close_notify was cut: the
    // driver knows.
    Result<std::size_t> read(MutableBytes out);
    // The next byte that read() will give, which it still does; nothing: feed more. Errors are those of
    // read().
    Result<std::optional<Byte>> peek();
    // Encrypts all of it into the output. The driver bounds how much it writes before it takes the output.
    Status write(BytesView data);
    // Queues close_notify; once. Nothing may be written after it, reading goes on.
    void close();
    // Everything that waits to be sent to the peer, in order; empty when nothing does.
    Bytes take_output();

    // RFC 5705 keying material, equal at both ends and known to nobody else; the context is always present,
    // possibly of length 0, as RFC 9266 does. Only after the handshake (Errc::unavailable before). length is
    // at most 255 * 32, context at most 65535.
    Result<Secret> export_key(std::string_view label, BytesView context, std::size_t length) const;

  private:
    struct State;
    explicit Session(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace tunnel::tls
