#pragma once
// One member of a group: a service of one client, with what is known of its health. Shared by the workers
// that send visitors to it and the control thread that hears of its checks.

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>

#include "common/core/clock.hpp"

namespace tunnel::server {

// What its owner said of it.
struct MemberOptions {
    std::string name;  // for people and for the choice by visitor address: "home/127.0.0.1:8001"
    unsigned weight = 1;
    bool backup = false;  // takes visitors only while no other member can
    bool operator==(const MemberOptions&) const = default;
};

// Why a member takes no visitors, in one word for lists.
enum class MemberState {
    up,
    down,      // its active checks fail
    ejected,   // visitors could not reach it; it is tried again after a while
    draining,  // its owner wants no new visitors for it
    away,      // its client is not connected
};
std::string_view to_string(MemberState state);

// Any thread.
class Member {
  public:
    explicit Member(MemberOptions options) : options_(std::move(options)) {}
    const MemberOptions& options() const { return options_; }

    void set_present(bool present) { present_ = present; }
    void set_draining(bool draining) { draining_ = draining; }
    // What the client's checks say; `reason` is told when it is down.
    void set_healthy(bool healthy, std::string reason);

    // A visitor could not be served by it: out for 1 s, and twice as long each time that this happens again,
    // up to a minute.
    void note_failure(TimePoint now, std::string reason);
    // A visitor was: all is forgiven.
    void note_success();

    void visitor_came() { ++visitors_; }
    void visitor_went() { --visitors_; }
    std::uint32_t visitors() const { return visitors_; }

    MemberState state(TimePoint now) const;
    // Why it is not up, a sentence, or empty.
    std::string reason(TimePoint now) const;

  private:
    MemberOptions options_;
    std::atomic<bool> present_{false};
    std::atomic<bool> draining_{false};
    std::atomic<bool> healthy_{true};
    std::atomic<Clock::rep> ejected_until_{0};
    std::atomic<std::uint32_t> failures_{0};  // in a row
    std::atomic<std::uint32_t> visitors_{0};
    mutable std::mutex mutex_;
    std::string check_reason_;
    std::string failure_reason_;
};

}  // namespace tunnel::server
