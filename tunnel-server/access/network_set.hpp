#pragma once
// A set of networks that answers in constant time: which of them holds an address, and how closely. Built
// once, then only read, from any thread.

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "common/core/address.hpp"

namespace tunnel::server {

class NetworkSet {
  public:
    NetworkSet() = default;
    explicit NetworkSet(std::span<const Network> networks);

    // The prefix length of the longest network that holds `address`, in the 128-bit form of Network::prefix;
    // nothing where none does. At most 6 steps for an IPv4 address and 22 for an IPv6 one, however many
    // networks there are.
    std::optional<unsigned> longest_match(const IpAddress& address) const;

    std::size_t size() const { return size_; }  // networks, each counted once
    bool empty() const { return size_ == 0; }
    std::size_t bytes() const { return nodes_.capacity() * sizeof(Node); }

  private:
    // A tree bitmap (Eatherton, Varghese and Dittia, 2004) of six bits a step. `inner` has a bit for each of
    // the 63 prefixes of 0 to 5 bits, `leaves` one for each of 6 bits, `children` one for each child; a
    // node's children stand one after the other from `first_child` on.
    struct Node {
        std::uint64_t inner = 0;
        std::uint64_t leaves = 0;
        std::uint64_t children = 0;
        std::uint32_t first_child = 0;
    };
    static constexpr unsigned step = 6;

    struct Pending;
    void build(std::span<const Network> sorted, std::uint32_t root, unsigned first_bit);
    void fill(const Pending& pending, std::vector<Pending>& queue);

    std::vector<Node> nodes_ = std::vector<Node>(2);  // the roots of IPv6 and IPv4
    std::size_t size_ = 0;
};

}  // namespace tunnel::server
