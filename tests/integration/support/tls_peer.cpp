#include "tests/integration/support/tls_peer.hpp"

#include <sys/socket.h>

#include <stdexcept>

#include "common/tls/key_schedule.hpp"
#include "common/tls/login_proof.hpp"

namespace tunnel::test {

namespace {

config::JoinLink parsed(const std::string& link) {
    auto out = config::parse_join_link(link);
    if (!out) throw std::runtime_error(out.error().message);
    return std::move(*out);
}

}  // namespace

TlsPeer TlsPeer::client(const std::string& link) {
    const auto to = parsed(link);
    auto context = tls::ClientContext::make(tls::Pin{std::get<config::Pin>(to.trust)}, to.server.host);
    if (!context) throw std::runtime_error(context.error().message);
    return {Peer::connect(to.server.port), tls::Session::client(std::move(*context))};
}

TlsPeer TlsPeer::server(net::UniqueFd fd, std::shared_ptr<const tls::ServerContext> context) {
    return {Peer(std::move(fd)), tls::Session::server(std::move(context))};
}

TlsPeer::TlsPeer(Peer peer, tls::Session session) : peer_(std::move(peer)), session_(std::move(session)) {
    for (;;) {
        const auto done = session_.handshake();
        flush();
        if (!done) throw std::runtime_error(done.error().message);
        if (*done) return;
        const auto bytes = peer_.receive_some(16 * 1024);
        if (bytes.empty()) throw std::runtime_error("the connection ended within the handshake");
        session_.feed(bytes);
    }
}

bool TlsPeer::flush() {
    return peer_.send(session_.take_output());
}

void TlsPeer::send(BytesView plain) {
    if (auto ok = session_.write(plain); !ok) throw std::runtime_error(ok.error().message);
    flush();
}

void TlsPeer::send_hello(wire::Versions versions) {
    send(wire::encode_hello(versions));
}

void TlsPeer::send_message(const wire::ControlMessage& message) {
    Bytes frame;
    wire::append_frame(frame, wire::encode(message));
    send(frame);
}

void TlsPeer::log_in(const std::string& link, const std::string& slot) {
    const auto to = parsed(link);
    const auto binding = session_.export_key(tls::login_exporter_label, {}, tls::login_binding_size);
    const auto proof = tls::make_proof(to.secret, to.client, *binding);
    send_hello();
    send_message(wire::Login{to.client, slot, 1, Bytes(proof.begin(), proof.end()), true, "test"});
}

TlsPeer::Said TlsPeer::listen(const std::function<bool(const Said&)>& enough) {
    Said said;
    Bytes buffer(16 * 1024);
    const auto end = Clock::now() + patience;
    while (Clock::now() < end) {
        const auto n = session_.read(buffer);
        if (!n) {
            said.end = End::orderly;
            return said;
        }
        append(plain_, BytesView(buffer).first(*n));
        if (!hello_seen_ && plain_.size() >= wire::hello_size) {
            const auto hello = wire::decode_hello(BytesView(plain_).first(wire::hello_size));
            if (!hello) throw std::runtime_error(hello.error().message);
            said.hello = *hello;
            hello_seen_ = true;
            plain_.erase(plain_.begin(), plain_.begin() + wire::hello_size);
        }
        if (hello_seen_) frames_.feed(std::exchange(plain_, {}));
        for (auto frame = frames_.next(); frame && *frame; frame = frames_.next()) {
            auto message = wire::decode(**frame);
            if (!message) throw std::runtime_error(message.error().message);
            said.messages.push_back(std::move(*message));
        }
        if (enough && enough(said)) return said;
        if (*n > 0) continue;
        const auto bytes = peer_.receive_some(16 * 1024);
        if (bytes.empty()) {
            said.end = End::reset;
            return said;
        }
        session_.feed(bytes);
    }
    return said;
}

std::optional<wire::Goodbye> goodbye_of(const TlsPeer::Said& said) {
    for (const auto& message : said.messages) {
        if (const auto* goodbye = std::get_if<wire::Goodbye>(&message)) return *goodbye;
    }
    return std::nullopt;
}

}  // namespace tunnel::test
