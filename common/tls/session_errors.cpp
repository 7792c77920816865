#include "common/tls/session_errors.hpp"

#include <mbedtls/x509.h>

#include "common/tls/mbedtls_compat.hpp"

namespace tunnel::tls {

namespace {

template <class... Args>
Error make_error(Errc code, fmt::format_string<Args...> text, Args&&... args) {
    return Error{code, fmt::format(text, std::forward<Args>(args)...), 0};
}

// RFC 5246 section 7.2 and the registry that followed it.
std::string_view alert_name(unsigned alert) {
    switch (alert) {
        case 0:
            return "close_notify";
        case 10:
            return "unexpected_message";
        case 20:
            return "bad_record_mac";
        case 22:
            return "record_overflow";
        case 40:
            return "handshake_failure";
        case 42:
            return "bad_certificate";
        case 43:
            return "unsupported_certificate";
        case 44:
            return "certificate_revoked";
        case 45:
            return "certificate_expired";
        case 46:
            return "certificate_unknown";
        case 47:
            return "illegal_parameter";
        case 48:
            return "unknown_ca";
        case 49:
            return "access_denied";
        case 50:
            return "decode_error";
        case 51:
            return "decrypt_error";
        case 70:
            return "protocol_version";
        case 71:
            return "insufficient_security";
        case 80:
            return "internal_error";
        case 90:
            return "user_canceled";
        case 112:
            return "unrecognized_name";
        case 120:
            return "no_application_protocol";
        default:
            return "unknown";
    }
}

std::string printable(BytesView bytes) {
    std::string text;
    for (const Byte byte : bytes) text += byte >= 0x20 && byte < 0x7F ? static_cast<char>(byte) : '.';
    return text;
}

}  // namespace

Error wrong_pin(const Pin& expected, const Pin& got) {
    return make_error(
        Errc::unauthenticated,
        "the server's certificate does not match the pin in the join link (expected {}, got {}): either "
        "the server was reinstalled - ask its admin for a new link - or someone is between you and it",
        expected.to_string(), got.to_string());
}

Error untrusted_certificate(std::uint32_t flags, std::string_view host) {
    if (flags & MBEDTLS_X509_BADCERT_EXPIRED)
        return make_error(
            Errc::unauthenticated,
            "the certificate of {} has expired: its admin has to renew it; if it was renewed, check this "
            "machine's clock",
            host);
    if (flags & MBEDTLS_X509_BADCERT_FUTURE)
        return make_error(Errc::unauthenticated,
                          "the certificate of {} is not valid yet: check this machine's clock", host);
    if (flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED)
        return make_error(
            Errc::unauthenticated,
            "the certificate of {} was not signed by a certificate authority that is trusted here: set "
            "ca_file to the authority's certificate, or ask the server's admin for a join link with a "
            "pin",
            host);
    if (flags & MBEDTLS_X509_BADCERT_CN_MISMATCH)
        return make_error(
            Errc::unauthenticated,
            "the server's certificate is not for {}: use the host name that the certificate carries, or "
            "ask the server's admin for a join link with a pin",
            host);
    std::array<char, 512> text{};
    mbedtls_x509_crt_verify_info(text.data(), text.size(), "", flags);
    std::string reasons = text.data();
    while (!reasons.empty() && reasons.back() == '\n') reasons.pop_back();
    for (char& c : reasons)
        if (c == '\n') c = ' ';
    return make_error(Errc::unauthenticated, "the certificate of {} is not acceptable: {}", host, reasons);
}

Error no_extended_master_secret() {
    return make_error(
        Errc::protocol,
        "the other end's TLS does without the extended master secret (RFC 7627), so that a login over "
        "it would prove nothing: its TLS library is too old, or something in between answers for it");
}

bool looks_like_tls(BytesView first_bytes) {
    return (first_bytes.empty() || (first_bytes[0] >= 20 && first_bytes[0] <= 23)) &&
           (first_bytes.size() < 2 || first_bytes[1] == 3);
}

Error not_tls(BytesView first_bytes) {
    return make_error(
        Errc::protocol,
        "the other end does not speak TLS (it began with \"{}\"): is this address and port really the "
        "tunnel's?",
        printable(first_bytes));
}

Error alert_from_peer(unsigned alert, bool established) {
    return make_error(Errc::protocol, "the other end ended the TLS {} with alert {} ({})",
                      established ? "connection" : "handshake", alert_name(alert), alert);
}

Error handshake_failure(int code) {
    return make_error(Errc::protocol, "the TLS handshake failed: {}", mbed::describe(code));
}

Error record_failure(int code) {
    return make_error(Errc::protocol, "the TLS connection broke: {}", mbed::describe(code));
}

}  // namespace tunnel::tls
