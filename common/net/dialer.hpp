#pragma once
// Opening connections: names to addresses, and addresses to a connected socket.

#include <unordered_map>
#include <vector>

#include "common/core/address.hpp"
#include "common/core/clock.hpp"
#include "common/core/result.hpp"
#include "common/net/asio.hpp"
#include "common/net/unique_fd.hpp"

namespace tunnel::net {

using Endpoints = std::vector<tcp::endpoint>;

// Names to addresses, with a cache, so that a busy service costs no query per visitor. getaddrinfo(3) runs on
// Asio's resolver thread, never on the caller's; numeric addresses are answered at once. One thread.
class Resolver {
  public:
    explicit Resolver(const asio::any_io_executor& executor, Clock::duration keep = Seconds(30));

    // All addresses in the system's order of preference (RFC 6724). Errc::unavailable names what could not be
    // resolved; Errc::timeout after `limit`. An answer older than `keep` is asked for again; when that fails
    // the old one is used, so that a name server that is down does not take working services with it.
    awaitable<Result<Endpoints>> resolve(HostPort address, Clock::duration limit);

  private:
    struct Cached {
        std::vector<asio::ip::address> addresses;
        TimePoint at;
    };
    awaitable<Result<std::vector<asio::ip::address>>> query(std::string host, Clock::duration limit);

    asio::any_io_executor executor_;
    Clock::duration keep_;
    std::unordered_map<std::string, Cached> cache_;
};

// Connects to the first address that answers: one after the other, each with a head start of 250 ms over the
// next (RFC 8305), so that a dead IPv6 path costs a quarter of a second, not a time-out. The socket is
// non-blocking. The error tells what each address said; Errc::timeout when none did within `limit`.
awaitable<Result<UniqueFd>> dial(Endpoints addresses, Clock::duration limit);

}  // namespace tunnel::net
