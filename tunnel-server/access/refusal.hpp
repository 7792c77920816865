#pragma once
// Why a visitor was turned away before it got a data connection, and how often. Counted by the workers, read
// by the control thread.

#include <array>
#include <atomic>
#include <cstdint>
#include <string_view>

namespace tunnel::server {

enum class Refusal : std::uint8_t {
    denied,          // by the lists of the mapping or of its client
    at_once,         // as many visitors as max_visitors are there
    per_second,      // visitors_per_second
    address_rate,    // visitors_per_second_per_address
    quota,           // the client's traffic of this month is used up
    proxy_header,    // a proxy of accept_proxy_from sent a bad PROXY header or none
    proxy_timeout,   // it did not send one in time
    proxy_too_many,  // too many connections whose header has not come yet
    drained,         // every member of the group is drained
};
constexpr std::size_t refusal_kinds = 9;

// The words that `mapping show`, the log and the metrics use.
constexpr std::string_view to_string(Refusal refusal) {
    switch (refusal) {
        case Refusal::denied:
            return "denied";
        case Refusal::at_once:
            return "at_once";
        case Refusal::per_second:
            return "per_second";
        case Refusal::address_rate:
            return "address_rate";
        case Refusal::quota:
            return "quota";
        case Refusal::proxy_header:
            return "proxy_header";
        case Refusal::proxy_timeout:
            return "proxy_timeout";
        case Refusal::proxy_too_many:
            return "proxy_too_many";
        case Refusal::drained:
            return "drained";
    }
    return "denied";
}

class RefusalCounters {
  public:
    void add(Refusal refusal) { counts_[static_cast<std::size_t>(refusal)] += 1; }
    std::uint64_t of(Refusal refusal) const { return counts_[static_cast<std::size_t>(refusal)]; }

  private:
    std::array<std::atomic<std::uint64_t>, refusal_kinds> counts_{};
};

}  // namespace tunnel::server
