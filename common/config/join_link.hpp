#pragma once
// The join link: all that a client needs to find its server, to know it and to be known by it.
//
//   tunnel://NAME:SECRET@HOST[:PORT]?pin=PIN      the server's key has this SHA-256 (of its
//   SubjectPublicKeyInfo) tunnel://NAME:SECRET@HOST[:PORT]?ca=system    the server's certificate is verified
//   by CA
//
// With &via=wss behind it the client comes inside WebSocket over TLS and no other way.
//
// SECRET and PIN are 32 bytes each in base64url (43 characters). An IPv6 HOST stands in brackets; PORT
// defaults to 7000.

#include <array>
#include <string>
#include <string_view>
#include <variant>

#include "common/core/address.hpp"
#include "common/core/bytes.hpp"
#include "common/core/secret.hpp"

namespace tunnel::config {

inline constexpr Port default_tunnel_port = 7000;
inline constexpr std::size_t client_secret_bytes = 32;

// SHA-256 of the server's SubjectPublicKeyInfo (RFC 7469 section 2.4).
using Pin = std::array<Byte, 32>;
struct SystemCa {
    bool operator==(const SystemCa&) const = default;
};
using Trust = std::variant<Pin, SystemCa>;

// How the client is to come.
enum class Via { unsaid, websocket };

struct JoinLink {
    std::string client;
    Secret secret;
    HostPort server;
    Trust trust;
    Via via = Via::unsaid;

    JoinLink copy() const { return {client, secret.copy(), server, trust, via}; }
    bool operator==(const JoinLink&) const = default;
};

// Takes surrounding white space and one pair of quotes, as they come with a paste. Strict otherwise. Errors
// say which part is wrong and quote nothing of the text, since any part may be the secret in the wrong place.
Result<JoinLink> parse_join_link(std::string_view text);

// The link's text; a Secret because it holds one. text_of(link.reveal()) shows it.
Secret to_text(const JoinLink& link);

}  // namespace tunnel::config
