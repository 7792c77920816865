#pragma once
// A certificate authority for the tests: issues what a real one would, and what it would not.

#include <string>

#include "common/tls/identity.hpp"
#include "common/tls/mbedtls_compat.hpp"

namespace tunnel::tls::test {

enum class KeyType { ecdsa, rsa };

struct LeafOptions {
    std::string host = "tunnel.test";  // in the subjectAltName, as a name or as an address
    std::string from = "20200101000000";
    std::string until = "20991231235959";
    KeyType key = KeyType::ecdsa;
};

class Authority {
  public:
    Authority();
    // PEM, to trust.
    const std::string& certificate() const { return certificate_; }
    // The certificate is followed by nothing: the authority signs leaves itself.
    Identity issue(const LeafOptions& options);

  private:
    std::string write(mbed::Key& subject_key, const std::string& subject, const LeafOptions& options,
                      bool is_ca);
    mbed::Key key_;
    std::string certificate_;
};

}  // namespace tunnel::tls::test
