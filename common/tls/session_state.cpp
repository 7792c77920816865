#include "common/tls/session_state.hpp"

#include <mbedtls/ssl_ciphersuites.h>

#include <algorithm>

#include "common/tls/session_errors.hpp"

namespace tunnel::tls {

namespace {

constexpr std::array<int, 7> cipher_suites = {MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
                                              MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
                                              MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
                                              MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
                                              MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
                                              MBEDTLS_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
                                              0};

// Input stays allocated only while it is busy: thousands of idle sessions hold none.
constexpr std::size_t idle_capacity = 4096;

bool has_address(const mbedtls_x509_crt& certificate, const IpAddress& wanted) {
    constexpr int ip_address_entry = MBEDTLS_ASN1_CONTEXT_SPECIFIC | 7;  // RFC 5280 section 4.2.1.6
    const BytesView full(wanted.bytes);
    const BytesView address = wanted.is_v4() ? full.last(4) : full;
    const mbedtls_asn1_sequence* entry = &certificate.subject_alt_names;
    for (; entry != nullptr; entry = entry->next)
        if (entry->buf.tag == ip_address_entry &&
            std::ranges::equal(BytesView(entry->buf.p, entry->buf.len), address))
            return true;
    return false;
}

}  // namespace

Session::State::State(std::shared_ptr<const ServerContext> context) : server(std::move(context)) {
    set_up(MBEDTLS_SSL_IS_SERVER);
}

Session::State::State(std::shared_ptr<const ClientContext> context) : client(std::move(context)) {
    set_up(MBEDTLS_SSL_IS_CLIENT);
}

void Session::State::set_up(int endpoint) {
    int result = configure(endpoint);
    if (result == 0) result = server ? configure_server() : configure_client();
    if (result == 0) result = connect_callbacks();
    if (result != 0)
        failure = Error{Errc::internal,
                        fmt::format("cannot set up a TLS connection: {}", mbed::describe(result)), 0};
}

int Session::State::configure(int endpoint) {
    const int result = mbedtls_ssl_config_defaults(config.get(), endpoint, MBEDTLS_SSL_TRANSPORT_STREAM,
                                                   MBEDTLS_SSL_PRESET_DEFAULT);
    if (result != 0) return result;
    mbed::require_tls_1_2(config);
    mbedtls_ssl_conf_rng(config.get(), mbed::random_bytes, nullptr);
    mbedtls_ssl_conf_ciphersuites(config.get(), cipher_suites.data());
    mbedtls_ssl_conf_extended_master_secret(config.get(), MBEDTLS_SSL_EXTENDED_MS_ENABLED);
#if defined(MBEDTLS_SSL_RENEGOTIATION)
    mbedtls_ssl_conf_renegotiation(config.get(), MBEDTLS_SSL_RENEGOTIATION_DISABLED);
#endif
#if defined(MBEDTLS_SSL_SESSION_TICKETS)
    if (client) mbedtls_ssl_conf_session_tickets(config.get(), MBEDTLS_SSL_SESSION_TICKETS_DISABLED);
#endif
    return 0;
}

int Session::State::configure_server() {
    mbedtls_ssl_conf_authmode(config.get(), MBEDTLS_SSL_VERIFY_NONE);
    return mbedtls_ssl_conf_own_cert(config.get(), server->state().chain.get(), server->state().key.get());
}

int Session::State::configure_client() {
    if (client->state().alpn == Alpn::http_1_1) {
        static const char* const protocols[] = {"http/1.1", nullptr};
        // mbedTLS takes the list as non-const and only reads it.
        const int result = mbedtls_ssl_conf_alpn_protocols(config.get(), const_cast<const char**>(protocols));
        if (result != 0) return result;
    }
    // With a pin, mbedTLS's own judgement of the chain does not count and verify()'s does: it fails the
    // handshake.
    if (client->state().pin || client->state().any_server) {
        mbedtls_ssl_conf_authmode(config.get(), MBEDTLS_SSL_VERIFY_OPTIONAL);
    } else {
        mbedtls_ssl_conf_authmode(config.get(), MBEDTLS_SSL_VERIFY_REQUIRED);
        mbedtls_ssl_conf_ca_chain(config.get(), client->state().authorities.get(), nullptr);
    }
    return 0;
}

int Session::State::connect_callbacks() {
    if (const int result = mbedtls_ssl_setup(ssl.get(), config.get()); result != 0) return result;
    mbedtls_ssl_set_bio(
        ssl.get(), this,
        [](void* self, const unsigned char* data, std::size_t size) {
            auto& state = *static_cast<State*>(self);
            if (state.server) state.hello.feed({data, size});
            append(state.output, {data, size});
            return static_cast<int>(size);
        },
        [](void* self, unsigned char* out, std::size_t size) {
            return static_cast<State*>(self)->take({out, size});
        },
        nullptr);
    mbed::export_secrets_to(config, ssl, secrets);
    if (server) return 0;

    mbedtls_ssl_set_verify(
        ssl.get(),
        [](void* self, mbedtls_x509_crt* certificate, int depth, std::uint32_t* flags) {
            return static_cast<State*>(self)->verify(*certificate, depth, *flags);
        },
        this);
    // For an address the name is explicitly none: RFC 6066 has no addresses in SNI, and verify() matches it.
    const ClientContext::State& context = client->state();
    return mbedtls_ssl_set_hostname(ssl.get(), context.address ? nullptr : context.host.c_str());
}

int Session::State::verify(const mbedtls_x509_crt& certificate, int depth, std::uint32_t& flags) {
    const ClientContext::State& context = client->state();
    if (context.any_server) {
        flags = 0;
        peer_verified = true;
        return 0;
    }
    if (context.pin) {
        flags = 0;
        if (depth != 0) return 0;
        const Pin shown = pin_of(certificate);
        peer_verified = shown == *context.pin;
        if (!peer_verified) foreign_pin = shown;
        return peer_verified ? 0 : MBEDTLS_ERR_X509_FATAL_ERROR;
    }
    if (depth == 0) {
        if (context.address && !has_address(certificate, *context.address))
            flags |= MBEDTLS_X509_BADCERT_CN_MISMATCH;
        peer_verified = flags == 0;
    }
    return 0;
}

void Session::State::feed(BytesView bytes) {
    if (failure || peer_closed) return;
    if (bytes.size() > max_unread - unread()) {
        fail_for_good(Error{Errc::limit,
                            fmt::format("{} bytes of TLS were fed where there was room for {}", bytes.size(),
                                        max_unread - unread()),
                            0});
        return;
    }
    const std::size_t first = std::min(bytes.size(), first_bytes.size() - first_size);
    std::copy_n(bytes.begin(), first, first_bytes.begin() + static_cast<std::ptrdiff_t>(first_size));
    first_size += first;
    if (client) hello.feed(bytes);
    input.erase(input.begin(), input.begin() + static_cast<std::ptrdiff_t>(consumed));
    consumed = 0;
    append(input, bytes);
}

int Session::State::take(MutableBytes out) {
    const std::size_t size = std::min(out.size(), unread());
    if (size == 0) return MBEDTLS_ERR_SSL_WANT_READ;
    std::copy_n(input.begin() + static_cast<std::ptrdiff_t>(consumed), size, out.begin());
    consumed += size;
    if (unread() == 0) {
        consumed = 0;
        input.clear();
        if (input.capacity() > idle_capacity) Bytes().swap(input);
    }
    return static_cast<int>(size);
}

std::optional<Error> Session::State::missing_guarantee() const {
    if (hello.verdict() != HelloVerdict::confirmed) return no_extended_master_secret();
    if (secrets.master.empty()) return Error{Errc::internal, "the TLS library gave no keys to export", 0};
    if (client && !peer_verified)
        return Error{Errc::unauthenticated, "the server completed TLS without showing its certificate", 0};
    return std::nullopt;
}

Error Session::State::explain(int code) {
    const BytesView begin = BytesView(first_bytes).first(first_size);
    if (foreign_pin) return wrong_pin(*client->state().pin, *foreign_pin);
    if (client && code == MBEDTLS_ERR_X509_CERT_VERIFY_FAILED)
        return untrusted_certificate(mbedtls_ssl_get_verify_result(ssl.get()), client->state().host);
    if (!looks_like_tls(begin)) return not_tls(begin);
    if (code == MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE)
        return alert_from_peer(mbed::last_alert(ssl), established);
    return established ? record_failure(code) : handshake_failure(code);
}

tl::unexpected<Error> Session::State::fail_for_good(Error error) {
    failure = std::move(error);
    secrets.master = Secret();
    Bytes().swap(input);
    consumed = 0;
    return pass(*failure);
}

}  // namespace tunnel::tls
