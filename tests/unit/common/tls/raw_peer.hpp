#pragma once
// mbedTLS without our Session around it: the peer that does not play by our rules, and whose secrets a test
// may see.

#include "common/core/bytes.hpp"
#include "common/core/result.hpp"
#include "common/tls/identity.hpp"
#include "common/tls/mbedtls_compat.hpp"

namespace tunnel::tls::test {

struct RawOptions {
    bool extended_master_secret = true;
    int cipher_suite = 0;  // 0: mbedTLS's own list
};

class RawPeer {
  public:
    static std::unique_ptr<RawPeer> client(RawOptions options);
    static std::unique_ptr<RawPeer> server(const Identity& identity, RawOptions options);

    Result<bool> handshake();
    void feed(BytesView bytes) { append(input_, bytes); }
    Bytes take_output() { return std::exchange(output_, Bytes()); }
    const mbed::HandshakeSecrets& secrets() const { return secrets_; }
    // After a handshake that failed on the other side's alert.
    unsigned alert() { return mbed::last_alert(ssl_); }
    mbedtls_ssl_context* ssl() { return ssl_.get(); }

  private:
    void set_up(int endpoint, RawOptions options);
    mbed::Certificate certificate_;
    mbed::Key key_;
    mbed::Config config_;
    mbed::Ssl ssl_;
    mbed::HandshakeSecrets secrets_;
    std::array<int, 2> suites_{};
    Bytes input_;
    Bytes output_;
};

}  // namespace tunnel::tls::test
