// The TLS of a control connection before anybody is authenticated: a server that hears any bytes, and a
// client that does.
#include "common/tls/session.hpp"

#include "tests/fuzz/fuzz_input.hpp"

using namespace tunnel;

namespace {

// One identity for all runs: making a key costs more than a run does.
struct Contexts {
    std::shared_ptr<const tls::ServerContext> server;
    std::shared_ptr<const tls::ClientContext> client;
};

Contexts make_contexts() {
    const auto identity = tls::make_identity("vps.example.com").value();
    auto server = tls::ServerContext::make(identity.certificate_pem, identity.key_pem).value();
    auto client = tls::ClientContext::make(server->pin(), "vps.example.com").value();
    return {std::move(server), std::move(client)};
}

void converse(tls::Session session, BytesView stream, BytesView plan) {
    (void)session.handshake();
    (void)session.take_output();
    fuzz::in_pieces(stream, plan, [&](BytesView piece) {
        if (piece.size() > session.room()) return false;
        session.feed(piece);
        const auto done = session.handshake();
        fuzz::require(!done || !*done, "nobody is established without a key");
        if (done) return true;
        const auto again = session.handshake();
        fuzz::require(!again && again.error().message == done.error().message, "an error is final");
        fuzz::require(!done.error().message.empty(), "an error is a sentence");
        return false;
    });
    fuzz::require(!session.established(), "nobody is established without a key");
    fuzz::require(!session.export_key("EXPORTER-fuzz", {}, 32), "no key leaves an unfinished handshake");
    (void)session.take_output();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const Contexts contexts = make_contexts();
    fuzz::FuzzInput input(data, size);
    const bool at_server = input.byte() % 2 == 0;
    const auto plan = input.take(input.byte() % 8);
    converse(at_server ? tls::Session::server(contexts.server) : tls::Session::client(contexts.client),
             input.take_rest(), plan);
    return 0;
}
