#pragma once
// Who the server is: an ECDSA P-256 key, its self-signed certificate, and the pin by which clients know it.

#include <array>
#include <string>
#include <string_view>

#include "common/core/bytes.hpp"
#include "common/core/result.hpp"
#include "common/core/secret.hpp"

namespace tunnel::tls {

struct Identity {
    Secret key_pem;               // PEM text (SEC 1), no trailing NUL
    std::string certificate_pem;  // one X.509v3 certificate
};

// A new key and certificate: self-signed with SHA-256, random serial, valid from a day ago (clients' clocks
// are not always right) to the end of 2099. `common_name` is the host that clients dial, a DNS name or an
// address; it becomes the subject and the subjectAltName. Errc::invalid when it is empty, longer than 253 or
// holds characters that no host name has.
Result<Identity> make_identity(std::string_view common_name);

// SHA-256 over the certificate's SubjectPublicKeyInfo in DER, the value that RFC 7469 section 2.4 pins. It
// names the key, so a certificate renewed over the same key keeps its pin.
struct Pin {
    std::array<Byte, 32> digest{};

    // 43 characters of base64url, as in a join link's pin=.
    static Result<Pin> parse(std::string_view text);
    std::string to_string() const;
    // Pins are public: no need for constant time.
    bool operator==(const Pin&) const = default;
};

// The pin of the first certificate in `pem`.
Result<Pin> pin_of_certificate(std::string_view pem);

}  // namespace tunnel::tls
