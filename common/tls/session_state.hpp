#pragma once
// What a Session holds and how mbedTLS is set up for it; for session.cpp and session_state.cpp only. The
// address of a State is fixed, because mbedTLS's callbacks get it.

#include <array>
#include <memory>
#include <optional>

#include "common/tls/context_state.hpp"
#include "common/tls/mbedtls_compat.hpp"
#include "common/tls/server_hello.hpp"
#include "common/tls/session.hpp"

namespace tunnel::tls {

struct Session::State {
    explicit State(std::shared_ptr<const ServerContext> context);
    explicit State(std::shared_ptr<const ClientContext> context);
    State(const State&) = delete;
    State& operator=(const State&) = delete;

    std::shared_ptr<const ServerContext> server;  // exactly one of the two is set
    std::shared_ptr<const ClientContext> client;
    mbed::Config config;  // one per connection, because 2.28 keeps the key export's callback in it
    mbed::Ssl ssl;
    mbed::HandshakeSecrets secrets;
    ServerHelloWatch hello{extended_master_secret_extension};

    Bytes input;
    std::size_t consumed = 0;  // of input
    Bytes output;
    std::array<Byte, 8> first_bytes{};  // of the peer, for the message when they are not TLS
    std::size_t first_size = 0;

    std::optional<Byte> peeked;  // read from mbedTLS and not yet by our user

    std::optional<Error> failure;    // final
    std::optional<Pin> foreign_pin;  // what the server showed instead of the pinned key
    bool peer_verified = false;      // by verify(); a client completes nothing without it
    bool established = false;
    bool closed = false;       // we sent close_notify
    bool peer_closed = false;  // the peer did; what it sends after that is ignored (RFC 5246 section 7.2.1)

    std::size_t unread() const { return input.size() - consumed; }
    void feed(BytesView bytes);

    // What has to hold after the handshake beyond what mbedTLS itself insists on; the first that does not.
    std::optional<Error> missing_guarantee() const;
    Error explain(int code);
    tl::unexpected<Error> fail_for_good(Error error);

  private:
    void set_up(int endpoint);
    int configure(int endpoint);
    int configure_server();
    int configure_client();
    int connect_callbacks();
    int take(MutableBytes out);
    int verify(const mbedtls_x509_crt& certificate, int depth, std::uint32_t& flags);
};

}  // namespace tunnel::tls
