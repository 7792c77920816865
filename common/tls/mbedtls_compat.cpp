#include "common/tls/mbedtls_compat.hpp"

#include <mbedtls/error.h>
#include <mbedtls/version.h>

#if MBEDTLS_VERSION_NUMBER < 0x021C0000
#error "mbedTLS 2.28 or later is needed"
#endif
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
#include <psa/crypto.h>
#else
#include <mbedtls/bignum.h>
#endif

#include <algorithm>

namespace tunnel::tls::mbed {

int random_bytes(void*, unsigned char* out, std::size_t size) {
    fill_random({out, size});
    return 0;
}

std::string describe(int code) {
    std::array<char, 160> text{};
    mbedtls_strerror(code, text.data(), text.size());
    return fmt::format("{} (mbedTLS -0x{:04x})", text.data(), static_cast<unsigned>(-code));
}

Status prepare_library() {
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
    // 3.x may do any operation through PSA, depending on how it was built.
    if (const psa_status_t status = psa_crypto_init(); status != PSA_SUCCESS)
        return fail(Errc::internal, "mbedTLS cannot start its cryptography (PSA status {})", status);
#endif
    return {};
}

int parse_certificates(Certificate& chain, std::string_view pem) {
    const std::string terminated(pem);
    return mbedtls_x509_crt_parse(chain.get(), reinterpret_cast<const unsigned char*>(terminated.c_str()),
                                  terminated.size() + 1);
}

int parse_private_key(Key& key, const Secret& pem) {
    Secret terminated(pem.size() + 1);
    std::ranges::copy(pem.reveal(), terminated.reveal_mutable().begin());
    const BytesView text = terminated.reveal();
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
    return mbedtls_pk_parse_key(key.get(), text.data(), text.size(), nullptr, 0, random_bytes, nullptr);
#else
    return mbedtls_pk_parse_key(key.get(), text.data(), text.size(), nullptr, 0);
#endif
}

bool is_key_of(Certificate& certificate, Key& key) {
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
    return mbedtls_pk_check_pair(&certificate->pk, key.get(), random_bytes, nullptr) == 0;
#else
    return mbedtls_pk_check_pair(&certificate->pk, key.get()) == 0;
#endif
}

int set_serial(CertificateWriter& writer, BytesView serial) {
#if MBEDTLS_VERSION_NUMBER >= 0x03040000
    Bytes copy(serial.begin(), serial.end());  // the interface takes it non-const
    return mbedtls_x509write_crt_set_serial_raw(writer.get(), copy.data(), copy.size());
#else
    Object<mbedtls_mpi, mbedtls_mpi_init, mbedtls_mpi_free> number;
    const int result = mbedtls_mpi_read_binary(number.get(), serial.data(), serial.size());
    return result != 0 ? result : mbedtls_x509write_crt_set_serial(writer.get(), number.get());
#endif
}

void require_tls_1_2(Config& config) {
#if MBEDTLS_VERSION_NUMBER >= 0x03020000
    mbedtls_ssl_conf_min_tls_version(config.get(), MBEDTLS_SSL_VERSION_TLS1_2);
    mbedtls_ssl_conf_max_tls_version(config.get(), MBEDTLS_SSL_VERSION_TLS1_2);
#else
    mbedtls_ssl_conf_min_version(config.get(), MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3);
    mbedtls_ssl_conf_max_version(config.get(), MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3);
#endif
}

namespace {

constexpr std::size_t master_secret_size = 48;

void keep(void* context, BytesView master, const unsigned char* client_random,
          const unsigned char* server_random, mbedtls_tls_prf_types prf) {
    auto& secrets = *static_cast<HandshakeSecrets*>(context);
    secrets.master = Secret(master);
    std::copy_n(client_random, secrets.client_random.size(), secrets.client_random.begin());
    std::copy_n(server_random, secrets.server_random.size(), secrets.server_random.begin());
    secrets.prf = prf;
}

}  // namespace

void export_secrets_to(Config& config, Ssl& ssl, HandshakeSecrets& secrets) {
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
    (void)config;
    mbedtls_ssl_set_export_keys_cb(
        ssl.get(),
        [](void* context, mbedtls_ssl_key_export_type type, const unsigned char* master, std::size_t size,
           const unsigned char client_random[32], const unsigned char server_random[32],
           mbedtls_tls_prf_types prf) {
            if (type == MBEDTLS_SSL_KEY_EXPORT_TLS12_MASTER_SECRET && size == master_secret_size)
                keep(context, {master, size}, client_random, server_random, prf);
        },
        &secrets);
#else
    (void)ssl;
    mbedtls_ssl_conf_export_keys_ext_cb(
        config.get(),
        [](void* context, const unsigned char* master, const unsigned char*, std::size_t, std::size_t,
           std::size_t, const unsigned char client_random[32], const unsigned char server_random[32],
           mbedtls_tls_prf_types prf) {
            keep(context, {master, master_secret_size}, client_random, server_random, prf);
            return 0;
        },
        &secrets);
#endif
}

unsigned last_alert(Ssl& ssl) {
    // Neither version has a function for it. The alert's two bytes, level and description, are the current
    // message.
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
    return ssl->MBEDTLS_PRIVATE(in_msg)[1];
#else
    return ssl->in_msg[1];
#endif
}

}  // namespace tunnel::tls::mbed
