#pragma once
// How a client proves its secret without sending it. The idea is SCRAM's (RFC 5802), without the password
// stretching that a 256-bit random secret does not need, bound to the TLS session by its exporter (RFC 9266):
//
//   ClientKey = HMAC-SHA256(secret, "tunnel client key" 0x00 name)
//   StoredKey = SHA-256(ClientKey)                              what the server keeps
//   proof     = ClientKey XOR HMAC-SHA256(StoredKey, binding)   what the client sends
//
// The server undoes the XOR and checks that the SHA-256 of what comes out is StoredKey. What each thief gets:
//  - A stolen store: nothing to log in with. A proof needs ClientKey, which is a preimage of StoredKey.
//  - A proof read off one TLS session: useless in any other, whose binding differs.
//  - The store *and* the server's running process or key: whoever plays the server to a client that logs in
//    can undo the XOR and learn ClientKey. After such a break-in clients get new secrets (`tunnelctl client
//    rotate`).

#include <array>
#include <string_view>

#include "common/core/bytes.hpp"
#include "common/core/secret.hpp"

namespace tunnel::tls {

using StoredKey = std::array<Byte, 32>;
using LoginProof = std::array<Byte, 32>;

// Both ends export this many bytes with this label from the control connection; the login's context is empty.
inline constexpr std::string_view login_exporter_label = "EXPORTER-tunnel-login-v1";
inline constexpr std::size_t login_binding_size = 32;

StoredKey stored_key(const Secret& secret, std::string_view name);
LoginProof make_proof(const Secret& secret, std::string_view name, const Secret& binding);
// False for a proof of any other length, too. Takes constant time for a proof of 32 bytes.
bool check_proof(const StoredKey& stored, BytesView proof, const Secret& binding);

}  // namespace tunnel::tls
