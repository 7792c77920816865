#pragma once
// The tickets of one session that are out: issued to its client, not yet redeemed by a data connection.
// Sans-I/O. Each can be redeemed once; what is redeemed, expired or of another session is refused alike.

#include <unordered_map>

#include "common/core/clock.hpp"
#include "common/core/result.hpp"
#include "common/tls/key_schedule.hpp"
#include "common/wire/control_messages.hpp"
#include "common/wire/preface.hpp"

namespace tunnel::server {

class TicketBook {
  public:
    static constexpr Seconds lifetime{60};

    explicit TicketBook(const Secret& session_data_key) : chain_(session_data_key) {}

    // The next `count` tickets, to be told to the client in this order.
    wire::Dial issue(std::uint32_t count, TimePoint now);
    // The ticket's key, once. Errc::not_allowed: not out (used before, expired, never issued).
    // Errc::unauthenticated: the MAC is wrong; the ticket stays out, so that a stranger who guesses its
    // number cannot take it from its owner.
    Result<Secret> redeem(const wire::Preface& preface, const wire::PrefaceBytes& bytes, TimePoint now);
    // Whether the preface has its MAC under this key.
    static bool is_signed(const Secret& key, const wire::PrefaceBytes& preface);
    // The client says that it cannot use this one. False when it is not out any more.
    bool cancel(TicketNumber number) { return out_.erase(number) > 0; }
    // How many.
    std::size_t drop_expired(TimePoint now);
    std::size_t out() const { return out_.size(); }

  private:
    struct Out {
        Secret key;
        TimePoint expires;
    };
    tls::KeyChain chain_;
    std::unordered_map<TicketNumber, Out> out_;
};

}  // namespace tunnel::server
