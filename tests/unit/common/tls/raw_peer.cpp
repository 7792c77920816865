#include "tests/unit/common/tls/raw_peer.hpp"

#include <algorithm>
#include <stdexcept>

namespace tunnel::tls::test {

namespace {

void check(int result) {
    if (result != 0) throw std::runtime_error(mbed::describe(result));
}

}  // namespace

std::unique_ptr<RawPeer> RawPeer::client(RawOptions options) {
    auto peer = std::make_unique<RawPeer>();
    peer->set_up(MBEDTLS_SSL_IS_CLIENT, options);
    check(mbedtls_ssl_set_hostname(peer->ssl(), nullptr));
    return peer;
}

std::unique_ptr<RawPeer> RawPeer::server(const Identity& identity, RawOptions options) {
    auto peer = std::make_unique<RawPeer>();
    check(mbed::parse_certificates(peer->certificate_, identity.certificate_pem));
    check(mbed::parse_private_key(peer->key_, identity.key_pem));
    peer->set_up(MBEDTLS_SSL_IS_SERVER, options);
    return peer;
}

void RawPeer::set_up(int endpoint, RawOptions options) {
    check(mbedtls_ssl_config_defaults(config_.get(), endpoint, MBEDTLS_SSL_TRANSPORT_STREAM,
                                      MBEDTLS_SSL_PRESET_DEFAULT));
    mbed::require_tls_1_2(config_);
    mbedtls_ssl_conf_rng(config_.get(), mbed::random_bytes, nullptr);
    mbedtls_ssl_conf_authmode(config_.get(), MBEDTLS_SSL_VERIFY_NONE);
    mbedtls_ssl_conf_extended_master_secret(config_.get(), options.extended_master_secret
                                                               ? MBEDTLS_SSL_EXTENDED_MS_ENABLED
                                                               : MBEDTLS_SSL_EXTENDED_MS_DISABLED);
    suites_ = {options.cipher_suite, 0};
    if (options.cipher_suite != 0) mbedtls_ssl_conf_ciphersuites(config_.get(), suites_.data());
    if (endpoint == MBEDTLS_SSL_IS_SERVER)
        check(mbedtls_ssl_conf_own_cert(config_.get(), certificate_.get(), key_.get()));
    check(mbedtls_ssl_setup(ssl_.get(), config_.get()));
    mbed::export_secrets_to(config_, ssl_, secrets_);
    mbedtls_ssl_set_bio(
        ssl_.get(), this,
        [](void* self, const unsigned char* data, std::size_t size) {
            append(static_cast<RawPeer*>(self)->output_, {data, size});
            return static_cast<int>(size);
        },
        [](void* self, unsigned char* out, std::size_t size) {
            Bytes& input = static_cast<RawPeer*>(self)->input_;
            const std::size_t taken = std::min(size, input.size());
            if (taken == 0) return MBEDTLS_ERR_SSL_WANT_READ;
            std::copy_n(input.begin(), taken, out);
            input.erase(input.begin(), input.begin() + static_cast<std::ptrdiff_t>(taken));
            return static_cast<int>(taken);
        },
        nullptr);
}

Result<bool> RawPeer::handshake() {
    const int result = mbedtls_ssl_handshake(ssl_.get());
    if (result == 0) return true;
    if (result == MBEDTLS_ERR_SSL_WANT_READ) return false;
    return fail(result == MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE ? Errc::closed : Errc::protocol, "{}",
                mbed::describe(result));
}

}  // namespace tunnel::tls::test
