#pragma once
// Whether a TLS handshake negotiated an extension, read off the ServerHello (RFC 5246 section 7.4.1.3) as it
// passes in the clear. mbedTLS offers the extended master secret but goes on without it when the other end
// does not know it, and has no call to ask; a ServerHello that confirms an extension settles it, and the
// handshake's Finished messages prove that nobody altered it.

#include <cstdint>

#include "common/core/bytes.hpp"

namespace tunnel::tls {

inline constexpr std::uint16_t extended_master_secret_extension = 23;  // RFC 7627 section 5.1

enum class HelloVerdict {
    pending,     // the ServerHello has not passed yet
    confirmed,   // it carries the extension
    absent,      // it is well-formed and does not
    unreadable,  // these bytes are no ServerHello in one record; TLS itself will say what is wrong with them
};

// `message` is the first handshake message and possibly more. Never `pending`.
HelloVerdict server_hello_extension(BytesView message, std::uint16_t extension);

// Fed the server's bytes from the first on, in any pieces. Holds one record at most, and nothing once it has
// a verdict.
class ServerHelloWatch {
  public:
    explicit ServerHelloWatch(std::uint16_t extension) : extension_(extension) {}
    void feed(BytesView from_server);
    HelloVerdict verdict() const { return verdict_; }

  private:
    void look();
    std::uint16_t extension_;
    HelloVerdict verdict_ = HelloVerdict::pending;
    Bytes record_;
};

}  // namespace tunnel::tls
