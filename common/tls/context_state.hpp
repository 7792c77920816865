#pragma once
// What the contexts of context.hpp hold; for context.cpp and session.cpp only. Written once by make(), then
// only read. mbedTLS takes its objects as non-const pointers even to read them, hence mutable.

#include <optional>
#include <string>

#include "common/core/address.hpp"
#include "common/tls/context.hpp"
#include "common/tls/mbedtls_compat.hpp"

namespace tunnel::tls {

struct ServerContext::State {
    mutable mbed::Certificate chain;
    mutable mbed::Key key;
    Pin pin;
};

struct ClientContext::State {
    std::optional<Pin> pin;   // else authorities decide
    bool any_server = false;  // or nobody
    Alpn alpn = Alpn::none;
    mutable mbed::Certificate authorities;
    std::string host;
    std::optional<IpAddress> address;  // set when host is an address: no SNI, and matched by us
};

// The pin of a certificate that mbedTLS has parsed.
Pin pin_of(const mbedtls_x509_crt& certificate);

}  // namespace tunnel::tls
