#pragma once
// For tests that run on each AEAD backend: INSTANTIATE_TEST_SUITE_P(Backends, X, both_backends(),
// backend_name).

#include <gtest/gtest.h>

#include <string>

#include "common/tls/aead.hpp"

namespace tunnel::tls::test {

inline auto both_backends() {
    return testing::Values(AeadBackend::mbedtls, AeadBackend::libcrypto);
}
inline std::string backend_name(const testing::TestParamInfo<AeadBackend>& parameter) {
    return std::string(to_string(parameter.param));
}

}  // namespace tunnel::tls::test
