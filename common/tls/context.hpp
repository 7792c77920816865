#pragma once
// What many TLS connections share: the server's certificate and key, or what the client trusts. Immutable
// once made, so any number of sessions on any threads may use one at the same time.

#include <memory>
#include <string>
#include <string_view>
#include <variant>

#include "common/core/result.hpp"
#include "common/core/secret.hpp"
#include "common/tls/identity.hpp"

namespace tunnel::tls {

class ServerContext {
  public:
    // `certificate_pem` is the server's certificate first, then the intermediates, if any. The errors say
    // which of the two is at fault: Errc::invalid when one does not parse or the key is not the
    // certificate's.
    static Result<std::shared_ptr<const ServerContext>> make(std::string_view certificate_pem,
                                                             const Secret& key_pem);
    ~ServerContext();
    ServerContext(const ServerContext&) = delete;
    ServerContext& operator=(const ServerContext&) = delete;

    // What a join link has to carry for this certificate.
    const Pin& pin() const;

    struct State;  // mbedTLS's objects; for session.cpp only
    const State& state() const { return *state_; }

  private:
    explicit ServerContext(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

// How the client decides that a server is the right one:
//  - a Pin: exactly this public key, whatever name or dates its certificate shows;
//  - CaBundle: a chain to one of these PEM certificates, in date, for the host that is dialled;
//  - SystemStore: the same with the system's certificates.
struct CaBundle {
    std::string pem;
};
struct SystemStore {
    std::string path = "/etc/ssl/certs/ca-certificates.crt";
};
//  - AnyServer: no decision at all, for an outer TLS that only carries another one, which decides.
struct AnyServer {};
using Trust = std::variant<Pin, CaBundle, SystemStore, AnyServer>;

// What is offered as the protocol inside (ALPN, RFC 7301).
enum class Alpn { none, http_1_1 };

class ClientContext {
  public:
    // `host` is the name or address that is dialled, without brackets and port. A name is sent as SNI (RFC
    // 6066); with CaBundle and SystemStore the certificate must carry the host as a DNS name or as an
    // address.
    static Result<std::shared_ptr<const ClientContext>> make(Trust trust, std::string_view host,
                                                             Alpn alpn = Alpn::none);
    ~ClientContext();
    ClientContext(const ClientContext&) = delete;
    ClientContext& operator=(const ClientContext&) = delete;

    struct State;  // mbedTLS's objects; for session.cpp only
    const State& state() const { return *state_; }

  private:
    explicit ClientContext(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace tunnel::tls
