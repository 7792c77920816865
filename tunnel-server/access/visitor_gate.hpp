#pragma once
// The gate that a visitor passes before anything is allocated for it: the lists and limits of its mapping and
// of the mapping's client. The rules are replaced as a whole by the control thread and read by the workers;
// what is counted goes on.

#include <array>
#include <atomic>
#include <memory>
#include <tl/expected.hpp>

#include "common/core/address.hpp"
#include "common/core/clock.hpp"
#include "tunnel-server/access/access_list.hpp"
#include "tunnel-server/access/refusal.hpp"
#include "tunnel-server/access/visitor_rate.hpp"

namespace tunnel::server {

// Only read once it is made.
struct VisitorRules {
    AccessList access;
    std::uint32_t max_visitors = 0;     // at once, those who wait included; 0: without limit
    std::shared_ptr<VisitorRate> rate;  // null: without limit
    bool closed = false;                // nobody gets in: the quota is used up
};

// Visitors who are there, those who wait for a data connection included.
using VisitorCount = std::atomic<std::uint32_t>;

// What a worker knows of one set of rules: those of a mapping, or those of its client.
struct Gate {
    std::shared_ptr<const VisitorRules> rules;  // null: none
    std::shared_ptr<VisitorCount> count;        // null only with no rules
};
using Gates = std::array<Gate, 2>;
constexpr std::size_t client_gate = 1;  // its place in Gates

// Counts a visitor at both gates for as long as it lives.
class VisitorPlace {
  public:
    VisitorPlace() = default;
    VisitorPlace(VisitorPlace&& other) noexcept = default;
    VisitorPlace& operator=(VisitorPlace&& other) noexcept;
    ~VisitorPlace() { leave(); }

    // False when it has a maximum that is reached; counted then as before.
    bool enter(std::size_t gate, const Gate& at);
    // Counts there instead of `before`.
    void take_over(std::size_t gate, VisitorPlace& before) {
        counts_.at(gate) = std::move(before.counts_.at(gate));
    }

  private:
    void leave();
    std::array<std::shared_ptr<VisitorCount>, 2> counts_;
};

// Lists first, because whoever is on one must not be able to use up the limits of others.
// Null: a visitor without an address, of whom no list can say anything.
tl::expected<VisitorPlace, Refusal> admit(const Gates& gates, const IpAddress* visitor, TimePoint now);

// Rate limits that go on counting when rules are made anew: `before`, when its limits are these.
std::shared_ptr<VisitorRate> rate_of(const VisitorRate::Limits& limits,
                                     const std::shared_ptr<const VisitorRules>& before);

}  // namespace tunnel::server
