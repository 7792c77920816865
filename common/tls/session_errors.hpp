#pragma once
// mbedTLS's ways to fail, as sentences for the person who runs the program; for session.cpp only.

#include <cstdint>
#include <string>
#include <string_view>

#include "common/core/bytes.hpp"
#include "common/core/result.hpp"
#include "common/tls/identity.hpp"

namespace tunnel::tls {

Error wrong_pin(const Pin& expected, const Pin& got);
// `flags` are mbedTLS's MBEDTLS_X509_BADCERT_*.
Error untrusted_certificate(std::uint32_t flags, std::string_view host);
Error no_extended_master_secret();
// `first_bytes` are the first that came from the peer.
Error not_tls(BytesView first_bytes);
Error alert_from_peer(unsigned alert, bool established);
Error handshake_failure(int code);
Error record_failure(int code);

// Whether a TLS connection may begin so: a record type of TLS and the major version 3.
bool looks_like_tls(BytesView first_bytes);

}  // namespace tunnel::tls
