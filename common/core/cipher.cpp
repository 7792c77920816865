#include "common/core/cipher.hpp"

#include <algorithm>

#if defined(__aarch64__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

namespace tunnel {

std::string_view to_string(Cipher cipher) {
    return cipher == Cipher::aes_128_gcm ? "aes-128-gcm" : "chacha20-poly1305";
}

Result<CipherSetting> parse_cipher_setting(std::string_view text) {
    if (text == "auto") return CipherSetting();
    for (const auto cipher : {Cipher::aes_128_gcm, Cipher::chacha20_poly1305}) {
        if (text == to_string(cipher)) return CipherSetting(cipher);
    }
    return fail(Errc::invalid, "\"{}\" is not a cipher: write auto, aes-128-gcm or chacha20-poly1305", text);
}

bool cpu_has_aes() {
#if defined(__x86_64__)
    return __builtin_cpu_supports("aes") != 0 && __builtin_cpu_supports("pclmul") != 0;
#elif defined(__aarch64__)
    constexpr unsigned long both = HWCAP_AES | HWCAP_PMULL;
    return (::getauxval(AT_HWCAP) & both) == both;
#else
    return false;
#endif
}

std::vector<Cipher> offered_ciphers(CipherSetting client, bool client_has_aes) {
    if (client) return {*client};
    if (client_has_aes) return {Cipher::aes_128_gcm, Cipher::chacha20_poly1305};
    return {Cipher::chacha20_poly1305, Cipher::aes_128_gcm};
}

Result<Cipher> choose_cipher(const std::vector<Cipher>& offered, CipherSetting server, bool server_has_aes) {
    const auto offers = [&](Cipher cipher) {
        return offered.empty() ? cipher == Cipher::aes_128_gcm
                               : std::find(offered.begin(), offered.end(), cipher) != offered.end();
    };
    if (!server) {
        if (offered.empty()) return Cipher::aes_128_gcm;
        return !server_has_aes && offers(Cipher::chacha20_poly1305) ? Cipher::chacha20_poly1305
                                                                    : offered.front();
    }
    if (offers(*server)) return *server;
    if (offered.empty())
        return fail(Errc::conflict,
                    "server.toml says cipher = \"{}\", and this client knows {} only: upgrade tunnel-client, "
                    "or write cipher = \"auto\" in server.toml",
                    to_string(*server), to_string(Cipher::aes_128_gcm));
    return fail(Errc::conflict,
                "server.toml says cipher = \"{}\" and client.toml says cipher = \"{}\": write "
                "cipher = \"auto\" in one of them",
                to_string(*server), to_string(offered.front()));
}

}  // namespace tunnel
