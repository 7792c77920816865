#pragma once
// A server with its own identity and a client that pins it, as the product's default has them.

#include <gtest/gtest.h>

#include "common/tls/session.hpp"
#include "tests/unit/common/tls/exchange.hpp"

namespace tunnel::tls::test {

// One identity for all tests of a program: making keys is slow under sanitizers.
inline const Identity& server_identity() {
    static const Identity identity = make_identity("tunnel.test").value();
    return identity;
}

inline std::shared_ptr<const ServerContext> server_context(const Identity& identity = server_identity()) {
    return ServerContext::make(identity.certificate_pem, identity.key_pem).value();
}
inline std::shared_ptr<const ClientContext> pinning_context(const Identity& identity = server_identity()) {
    return ClientContext::make(pin_of_certificate(identity.certificate_pem).value(), "tunnel.test").value();
}

// Established sessions.
struct Pair {
    Session client = Session::client(pinning_context());
    Session server = Session::server(server_context());
    Pair() {
        const auto [c, s] = shake_hands(client, server);
        EXPECT_TRUE(c.complete() && s.complete());
    }
    void to_server() { server.feed(client.take_output()); }
    void to_client() { client.feed(server.take_output()); }
};

// Everything that `session` has for its reader now.
inline Result<Bytes> read_all(Session& session, std::size_t step = 5000) {
    Bytes out;
    Bytes buffer(step);
    for (;;) {
        const auto size = session.read(buffer);
        if (!size) return pass(size.error());
        if (*size == 0) return out;
        append(out, BytesView(buffer).first(*size));
    }
}

}  // namespace tunnel::tls::test
