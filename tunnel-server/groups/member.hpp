#pragma once
// One member of a group: a service of one client, with what is known of its health. Shared by the workers
// that send visitors to it and the control thread that hears of its checks.

#include <atomic>
#include <cstdint>
#include <memory>
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
    // The same member with other options: what is known of it is shared.
    Member(MemberOptions options, const Member& before)
        : options_(std::move(options)), state_(before.state_) {}
    Member(const Member&) = delete;
    Member& operator=(const Member&) = delete;
    const MemberOptions& options() const { return options_; }

    void set_present(bool present) { state_->present = present; }
    void set_draining(bool draining) { state_->draining = draining; }
    // What the client's checks say; `reason` is told when it is down. True when that is news.
    bool set_healthy(bool healthy, std::string reason);

    // A visitor could not be served by it: out for 1 s, and twice as long each time that this happens again,
    // up to a minute. Those who were on their way when it was put out count for nothing: false.
    bool note_failure(TimePoint now, std::string reason);
    // A visitor was: all is forgiven.
    void note_success();

    void visitor_came() { ++state_->visitors; }
    void visitor_went() { --state_->visitors; }
    std::uint32_t visitors() const { return state_->visitors; }

    MemberState state(TimePoint now) const;
    // Its state for those who are with it: what only new ones are kept from does not count. Never draining.
    MemberState state_for_its_own(TimePoint now) const;
    // Why it is not up, a sentence, or empty.
    std::string reason(TimePoint now) const;

  private:
    struct State {
        std::atomic<bool> present{false};
        std::atomic<bool> draining{false};
        std::atomic<bool> healthy{true};
        std::atomic<Clock::rep> ejected_until{0};
        std::atomic<std::uint32_t> failures{0};  // in a row
        std::atomic<std::uint32_t> visitors{0};
        std::mutex mutex;
        std::string check_reason;
        std::string failure_reason;
    };
    const MemberOptions options_;
    const std::shared_ptr<State> state_ = std::make_shared<State>();
};

}  // namespace tunnel::server
