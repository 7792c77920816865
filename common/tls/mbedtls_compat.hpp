#pragma once
// mbedTLS for the .cpp files of this folder: owners for its C objects, and every difference between 2.28
// (Debian 12) and 3.x in one place. No other file tests MBEDTLS_VERSION_NUMBER. Not for users of this
// library.

#include <mbedtls/pk.h>
#include <mbedtls/ssl.h>
#include <mbedtls/x509_crt.h>

#include <array>
#include <string>
#include <string_view>

#include "common/core/bytes.hpp"
#include "common/core/result.hpp"
#include "common/core/secret.hpp"

namespace tunnel::tls::mbed {

// An mbedTLS object that is initialised, freed (and wiped) with its owner. Its address must not change:
// mbedTLS's objects point at each other.
template <class T, void (*init)(T*), void (*release)(T*)>
class Object {
  public:
    Object() { init(&object_); }
    Object(const Object&) = delete;
    Object& operator=(const Object&) = delete;
    ~Object() { release(&object_); }
    T* get() { return &object_; }
    T* operator->() { return &object_; }

  private:
    T object_;
};
using Certificate = Object<mbedtls_x509_crt, mbedtls_x509_crt_init, mbedtls_x509_crt_free>;
using CertificateWriter =
    Object<mbedtls_x509write_cert, mbedtls_x509write_crt_init, mbedtls_x509write_crt_free>;
using Key = Object<mbedtls_pk_context, mbedtls_pk_init, mbedtls_pk_free>;
using Config = Object<mbedtls_ssl_config, mbedtls_ssl_config_init, mbedtls_ssl_config_free>;
using Ssl = Object<mbedtls_ssl_context, mbedtls_ssl_init, mbedtls_ssl_free>;

// mbedTLS's f_rng: straight from the kernel (getrandom(2)), so there is no generator to seed, to share
// between threads or to lock. A handshake asks for a few hundred bytes, records for none.
int random_bytes(void* unused, unsigned char* out, std::size_t size);

// "X509 - ... (mbedTLS -0x2180)".
std::string describe(int code);

// Has to succeed before any handshake; may be called any number of times.
Status prepare_library();

// mbedTLS's parsers return 0 or an error; PEM text needs a NUL behind it, which these add.
int parse_certificates(Certificate& chain, std::string_view pem);
int parse_private_key(Key& key, const Secret& pem);
bool is_key_of(Certificate& certificate, Key& key);

// A serial number, big-endian, at most 20 bytes and positive (RFC 5280 section 4.1.2.2).
int set_serial(CertificateWriter& writer, BytesView serial);

void require_tls_1_2(Config& config);

// What an exporter (RFC 5705) needs of a handshake.
struct HandshakeSecrets {
    Secret master;
    std::array<Byte, 32> client_random{};
    std::array<Byte, 32> server_random{};
    mbedtls_tls_prf_types prf = MBEDTLS_SSL_TLS_PRF_NONE;
};
// Fills `secrets` when the handshake has derived them. The config and the ssl are one connection's own. Call
// after mbedtls_ssl_setup.
void export_secrets_to(Config& config, Ssl& ssl, HandshakeSecrets& secrets);

// The number of the alert after MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE.
unsigned last_alert(Ssl& ssl);

}  // namespace tunnel::tls::mbed
