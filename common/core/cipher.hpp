#pragma once
// The ciphers that data connections can have, and which of them two ends agree on. AES-128-GCM is the fastest
// where the CPU has instructions for it; ChaCha20-Poly1305 where one of the two CPUs has none.

#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

#include "common/core/result.hpp"

namespace tunnel {

enum class Cipher { aes_128_gcm, chacha20_poly1305 };

// As config files, logs and tables write it: "aes-128-gcm", "chacha20-poly1305".
std::string_view to_string(Cipher cipher);

// What a config says: one cipher and no other, or nothing ("auto").
using CipherSetting = std::optional<Cipher>;
Result<CipherSetting> parse_cipher_setting(std::string_view text);

// Whether this machine's CPU has instructions for AES and for GCM's multiplication (x86-64 and arm64; false
// elsewhere).
bool cpu_has_aes();

// What a client offers, the one it likes best first.
std::vector<Cipher> offered_ciphers(CipherSetting client, bool client_has_aes);
// The server's choice: AES-128-GCM when both CPUs have instructions for it, else ChaCha20-Poly1305, unless a
// config insists on one. `offered` is empty for a client that knows AES-128-GCM only and says nothing.
// Errc::conflict when the two configs, or the server's and the client's age, leave nothing; the sentence says
// what to change.
Result<Cipher> choose_cipher(const std::vector<Cipher>& offered, CipherSetting server, bool server_has_aes);

}  // namespace tunnel
