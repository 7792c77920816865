#include "common/tls/identity.hpp"

#include <mbedtls/ecp.h>
#include <mbedtls/oid.h>

#include <algorithm>
#include <chrono>
#include <cstring>

#include "common/core/address.hpp"
#include "common/tls/context_state.hpp"
#include "common/tls/hash.hpp"

namespace tunnel::tls {

namespace {

constexpr std::size_t max_host = 253;        // RFC 1035's limit, as text
constexpr std::size_t max_common_name = 64;  // RFC 5280 appendix A.1, ub-common-name
constexpr std::size_t pem_buffer = 4096;     // an EC key is under 300 bytes, such a certificate under 1500

Status check_host(std::string_view host) {
    const bool characters = std::ranges::all_of(host, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
               c == '.' || c == '_' || c == ':';
    });
    const bool stray_colon = host.find(':') != std::string_view::npos && !parse_ip(host);
    if (host.empty() || host.size() > max_host || !characters || stray_colon)
        return fail(Errc::invalid,
                    "'{}' cannot stand in a certificate: give a DNS name (1 to {} of letters, digits, - . _) "
                    "or an IP "
                    "address",
                    host, max_host);
    return {};
}

// subjectAltName with one entry (RFC 5280 section 4.2.1.6), in DER: SEQUENCE { [2] name } or { [7] address }.
Bytes subject_alt_name(std::string_view host) {
    constexpr Byte dns_name = 0x82;
    constexpr Byte ip_address = 0x87;
    constexpr Byte sequence = 0x30;
    const auto wrap = [](Byte tag, BytesView content) {
        Bytes out{tag};
        if (content.size() >= 0x80) out.push_back(content.size() < 0x100 ? 0x81 : 0x82);
        if (content.size() >= 0x100) out.push_back(static_cast<Byte>(content.size() >> 8));
        out.push_back(static_cast<Byte>(content.size()));
        append(out, content);
        return out;
    };
    if (const auto ip = parse_ip(host))
        return wrap(sequence, wrap(ip_address, BytesView(ip->bytes).last(ip->is_v4() ? 4 : 16)));
    return wrap(sequence, wrap(dns_name, view_of(host)));
}

std::string x509_time(std::chrono::system_clock::time_point time) {
    const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
    std::tm utc{};
    gmtime_r(&seconds, &utc);
    std::array<char, 32> text{};
    std::strftime(text.data(), text.size(), "%Y%m%d%H%M%S", &utc);
    return text.data();
}

int generate_key(mbed::Key& key) {
    const int result = mbedtls_pk_setup(key.get(), mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY));
    if (result != 0) return result;
    return mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(*key.get()), mbed::random_bytes,
                               nullptr);
}

// Fills in the certificate; the first failing call's code.
int fill_certificate(mbed::CertificateWriter& writer, mbed::Key& key, std::string_view host) {
    const std::string subject =
        "CN=" + std::string(host.size() <= max_common_name ? host : std::string_view("tunnel-server"));
    const std::string from = x509_time(std::chrono::system_clock::now() - std::chrono::hours(24));
    const Bytes alternative = subject_alt_name(host);
    std::array<Byte, 16> serial;
    fill_random(serial);
    // Positive, and without leading zeros in any encoding.
    serial[0] = static_cast<Byte>((serial[0] & 0x7F) | 0x40);

    mbedtls_x509write_crt_set_version(writer.get(), MBEDTLS_X509_CRT_VERSION_3);
    mbedtls_x509write_crt_set_md_alg(writer.get(), MBEDTLS_MD_SHA256);
    mbedtls_x509write_crt_set_subject_key(writer.get(), key.get());
    mbedtls_x509write_crt_set_issuer_key(writer.get(), key.get());
    int result = mbedtls_x509write_crt_set_subject_name(writer.get(), subject.c_str());
    if (result == 0) result = mbedtls_x509write_crt_set_issuer_name(writer.get(), subject.c_str());
    if (result == 0) result = mbed::set_serial(writer, serial);
    if (result == 0)
        result = mbedtls_x509write_crt_set_validity(writer.get(), from.c_str(), "20991231235959");
    if (result == 0) result = mbedtls_x509write_crt_set_basic_constraints(writer.get(), 0, -1);
    if (result == 0)
        result = mbedtls_x509write_crt_set_extension(writer.get(), MBEDTLS_OID_SUBJECT_ALT_NAME,
                                                     MBEDTLS_OID_SIZE(MBEDTLS_OID_SUBJECT_ALT_NAME), 0,
                                                     alternative.data(), alternative.size());
    return result;
}

tl::unexpected<Error> cannot_make(int code) {
    return fail(Errc::internal, "cannot make the server's key and certificate: {}", mbed::describe(code));
}

}  // namespace

Result<Identity> make_identity(std::string_view common_name) {
    if (auto valid = check_host(common_name); !valid) return pass(valid.error());
    if (auto ready = mbed::prepare_library(); !ready) return pass(ready.error());
    mbed::Key key;
    if (const int result = generate_key(key); result != 0) return cannot_make(result);
    mbed::CertificateWriter writer;
    if (const int result = fill_certificate(writer, key, common_name); result != 0)
        return cannot_make(result);

    Secret buffer(pem_buffer);
    Byte* const text = buffer.reveal_mutable().data();
    if (const int result = mbedtls_pk_write_key_pem(key.get(), text, pem_buffer); result != 0)
        return cannot_make(result);
    Identity identity;
    identity.key_pem = Secret(BytesView(text, std::strlen(reinterpret_cast<const char*>(text))));
    if (const int result =
            mbedtls_x509write_crt_pem(writer.get(), text, pem_buffer, mbed::random_bytes, nullptr);
        result != 0)
        return cannot_make(result);
    identity.certificate_pem = reinterpret_cast<const char*>(text);
    return identity;
}

Result<Pin> Pin::parse(std::string_view text) {
    Bytes bytes;
    Pin pin;
    if (!base64url_decode(text, bytes) || bytes.size() != pin.digest.size())
        return fail(Errc::invalid,
                    "'{}' is not a pin: 43 characters of base64url, as printed in the join link", text);
    std::ranges::copy(bytes, pin.digest.begin());
    return pin;
}

std::string Pin::to_string() const {
    return base64url_encode(digest);
}

Pin pin_of(const mbedtls_x509_crt& certificate) {
    return Pin{sha256(BytesView(certificate.pk_raw.p, certificate.pk_raw.len))};
}

Result<Pin> pin_of_certificate(std::string_view pem) {
    mbed::Certificate certificate;
    if (const int result = mbed::parse_certificates(certificate, pem); result != 0)
        return fail(Errc::invalid, "the certificate is not in PEM form: {}",
                    result > 0 ? "a part of it does not parse" : mbed::describe(result));
    return pin_of(*certificate.get());
}

}  // namespace tunnel::tls
