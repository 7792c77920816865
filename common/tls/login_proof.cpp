#include "common/tls/login_proof.hpp"

#include "common/tls/hash.hpp"

namespace tunnel::tls {

namespace {

Secret client_key(const Secret& secret, std::string_view name) {
    static constexpr Byte separator = 0;
    return hmac_sha256_secret(secret.reveal(),
                              {view_of("tunnel client key"), BytesView(&separator, 1), view_of(name)});
}

}  // namespace

StoredKey stored_key(const Secret& secret, std::string_view name) {
    return sha256(client_key(secret, name).reveal());
}

LoginProof make_proof(const Secret& secret, std::string_view name, const Secret& binding) {
    const Secret key = client_key(secret, name);
    LoginProof proof = hmac_sha256(sha256(key.reveal()), binding.reveal());
    for (std::size_t i = 0; i < proof.size(); ++i) proof[i] ^= key.reveal()[i];
    return proof;
}

bool check_proof(const StoredKey& stored, BytesView proof, const Secret& binding) {
    if (proof.size() != std::tuple_size_v<LoginProof>) return false;
    // Becomes ClientKey when the proof is right, so it is kept as a secret.
    Secret key = hmac_sha256_secret(stored, {binding.reveal()});
    for (std::size_t i = 0; i < proof.size(); ++i) key.reveal_mutable()[i] ^= proof[i];
    return equal_in_constant_time(sha256(key.reveal()), stored);
}

}  // namespace tunnel::tls
