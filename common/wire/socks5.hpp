#pragma once
// The client's side of a SOCKS5 dialogue (RFC 1928) with or without a user and password (RFC 1929), up to the
// proxy's answer to CONNECT. Names are left to the proxy to resolve. After done() the connection carries the
// bytes of both ends and nothing else.

#include <cstddef>
#include <string_view>

#include "common/core/address.hpp"
#include "common/core/bytes.hpp"
#include "common/core/result.hpp"
#include "common/core/secret.hpp"

namespace tunnel::wire {

// What a user or a password may have at most (RFC 1929); what a name may have (RFC 1928).
constexpr std::size_t max_socks5_text = 255;

class Socks5Client {
  public:
    // `user` is empty for none. Host, user and password have 1 to max_socks5_text bytes.
    Socks5Client(HostPort target, std::string_view user, const Secret& password);

    // What is to be sent now, once; may hold the password.
    Secret take_output() { return std::move(output_); }
    bool done() const { return phase_ == Phase::done; }
    // How many bytes the proxy says next; exactly as many go into feed(). Never more than belong to the
    // dialogue, so that what follows stays in the socket.
    std::size_t wants() const { return wants_; }
    // Errors say what the proxy refused and what to do: Errc::unauthenticated, Errc::not_allowed,
    // Errc::unavailable, or Errc::protocol when it is no SOCKS5 proxy. Final.
    Status feed(BytesView bytes);

  private:
    enum class Phase { method, login, reply, address, done };
    Status take_method(BytesView bytes);
    Status take_reply(BytesView bytes);
    void request();

    HostPort target_;
    std::string user_;
    Secret password_;
    Secret output_;
    Phase phase_ = Phase::method;
    std::size_t wants_ = 2;
};

}  // namespace tunnel::wire
