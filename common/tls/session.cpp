#include "common/tls/session.hpp"

#include <array>
#include <string>
#include <utility>

#include "common/tls/session_errors.hpp"
#include "common/tls/session_state.hpp"

namespace tunnel::tls {

namespace {

constexpr std::size_t max_exported = std::size_t{255} * 32;
constexpr std::size_t max_export_context = 65535;  // its length goes into two bytes

tl::unexpected<Error> not_established(std::string_view what) {
    return fail(Errc::unavailable, "cannot {} before the TLS handshake is complete", what);
}

}  // namespace

Session::Session(std::unique_ptr<State> state) : state_(std::move(state)) {}
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;
Session::~Session() = default;

Session Session::server(std::shared_ptr<const ServerContext> context) {
    return Session(std::make_unique<State>(std::move(context)));
}

Session Session::client(std::shared_ptr<const ClientContext> context) {
    return Session(std::make_unique<State>(std::move(context)));
}

std::size_t Session::room() const {
    return state_->failure ? 0 : max_unread - state_->unread();
}

void Session::feed(BytesView from_peer) {
    state_->feed(from_peer);
}

bool Session::established() const {
    return state_->established && !state_->failure;
}

Result<bool> Session::handshake() {
    State& state = *state_;
    if (state.failure) return pass(*state.failure);
    if (state.established) return true;
    // A client knows that the extension is absent before mbedTLS reads the ServerHello, a server before it is
    // sent; so the alert still goes out in the clear, in the ServerHello's place.
    int result = 0;
    if (state.hello.verdict() != HelloVerdict::absent) result = mbedtls_ssl_handshake(state.ssl.get());
    if (state.hello.verdict() == HelloVerdict::absent) {
        state.output.clear();
        mbedtls_ssl_send_alert_message(state.ssl.get(), MBEDTLS_SSL_ALERT_LEVEL_FATAL,
                                       MBEDTLS_SSL_ALERT_MSG_HANDSHAKE_FAILURE);
        return state.fail_for_good(no_extended_master_secret());
    }
    if (result == MBEDTLS_ERR_SSL_WANT_READ) return false;
    if (result != 0) return state.fail_for_good(state.explain(result));
    if (auto missing = state.missing_guarantee()) return state.fail_for_good(*std::move(missing));
    state.established = true;
    return true;
}

Result<std::size_t> Session::read(MutableBytes out) {
    State& state = *state_;
    if (state.failure) return pass(*state.failure);
    if (!state.established) return not_established("read");
    if (out.empty()) return 0;
    if (state.peeked) {
        out[0] = *std::exchange(state.peeked, std::nullopt);
        return std::size_t{1};
    }
    int result = MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY;
    if (!state.peer_closed) result = mbedtls_ssl_read(state.ssl.get(), out.data(), out.size());
    if (result > 0) return static_cast<std::size_t>(result);
    if (result == MBEDTLS_ERR_SSL_WANT_READ) return 0;
    if (result == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY) {
        state.peer_closed = true;
        Bytes().swap(state.input);
        state.consumed = 0;
        return fail(Errc::closed, "the other end closed the TLS connection");
    }
    return state.fail_for_good(state.explain(result));
}

Result<std::optional<Byte>> Session::peek() {
    State& state = *state_;
    if (!state.peeked) {
        Byte first = 0;
        const auto n = read(MutableBytes(&first, 1));
        if (!n) return pass(n.error());
        if (*n == 1) state.peeked = first;
    }
    return state.peeked;
}

Status Session::write(BytesView data) {
    State& state = *state_;
    if (state.failure) return pass(*state.failure);
    if (!state.established) return not_established("write");
    if (state.closed) return fail(Errc::closed, "cannot write after close()");
    while (!data.empty()) {
        // Our send callback takes everything, so that this never has to wait; it cuts at the record's size.
        const int result = mbedtls_ssl_write(state.ssl.get(), data.data(), data.size());
        if (result <= 0) return state.fail_for_good(state.explain(result));
        data = data.subspan(static_cast<std::size_t>(result));
    }
    return {};
}

void Session::close() {
    State& state = *state_;
    if (state.failure || !state.established || state.closed) return;
    state.closed = true;
    mbedtls_ssl_close_notify(state.ssl.get());
}

Bytes Session::take_output() {
    return std::exchange(state_->output, Bytes());
}

Result<Secret> Session::export_key(std::string_view label, BytesView context, std::size_t length) const {
    const State& state = *state_;
    if (state.failure) return pass(*state.failure);
    if (!state.established) return not_established("export keys");
    if (length == 0 || length > max_exported || context.size() > max_export_context)
        return fail(Errc::invalid, "cannot export {} bytes with a context of {}: at most {} and {}", length,
                    context.size(), max_exported, max_export_context);
    // RFC 5705 section 4: client_random + server_random + context length + context.
    Bytes seed;
    append(seed, state.secrets.client_random);
    append(seed, state.secrets.server_random);
    std::array<Byte, 2> context_length;
    put_be16(context_length, static_cast<std::uint16_t>(context.size()));
    append(seed, context_length);
    append(seed, context);
    Secret exported(length);
    const std::string terminated(label);
    if (const int result = mbedtls_ssl_tls_prf(state.secrets.prf, state.secrets.master.reveal().data(),
                                               state.secrets.master.size(), terminated.c_str(), seed.data(),
                                               seed.size(), exported.reveal_mutable().data(), length);
        result != 0)
        return fail(Errc::internal, "cannot export keys: {}", mbed::describe(result));
    return exported;
}

}  // namespace tunnel::tls
