#pragma once
// For tests that run on each AEAD backend with each cipher: INSTANTIATE_TEST_SUITE_P(Kinds, X, every_kind(),
// kind_name).

#include <gtest/gtest.h>

#include <ostream>
#include <string>

#include "common/tls/aead.hpp"

namespace tunnel::tls::test {

struct Kind {
    AeadBackend backend;
    Cipher cipher;
    bool available() const { return AeadFactory::of(backend).has_value(); }
    AeadFactory factory() const { return *AeadFactory::of(backend); }
};
inline std::ostream& operator<<(std::ostream& out, const Kind& kind) {
    return out << to_string(kind.cipher) << " of " << to_string(kind.backend);
}

inline auto every_kind() {
    return testing::Values(Kind{AeadBackend::mbedtls, Cipher::aes_128_gcm},
                           Kind{AeadBackend::mbedtls, Cipher::chacha20_poly1305},
                           Kind{AeadBackend::libcrypto, Cipher::aes_128_gcm},
                           Kind{AeadBackend::libcrypto, Cipher::chacha20_poly1305});
}
inline auto both_backends() {
    return testing::Values(AeadBackend::mbedtls, AeadBackend::libcrypto);
}
inline std::string backend_name(const testing::TestParamInfo<AeadBackend>& parameter) {
    return std::string(to_string(parameter.param));
}
inline std::string kind_name(const testing::TestParamInfo<Kind>& parameter) {
    return std::string(to_string(parameter.param.backend)) +
           (parameter.param.cipher == Cipher::aes_128_gcm ? "_aes" : "_chacha");
}

}  // namespace tunnel::tls::test
