#include "tunnel-server/groups/member.hpp"

#include <algorithm>
#include <utility>

namespace tunnel::server {

namespace {

constexpr Millis first_ejection = Seconds(1);
constexpr Millis longest_ejection = std::chrono::minutes(1);
constexpr std::uint32_t most_doublings = 6;

}  // namespace

std::string_view to_string(MemberState state) {
    switch (state) {
        case MemberState::up:
            return "up";
        case MemberState::down:
            return "down";
        case MemberState::ejected:
            return "ejected";
        case MemberState::draining:
            return "draining";
        case MemberState::away:
            return "away";
    }
    return "down";
}

void Member::set_healthy(bool healthy, std::string reason) {
    {
        const std::lock_guard lock(mutex_);
        check_reason_ = std::move(reason);
    }
    // A check that succeeds speaks louder than a visitor's failure before it.
    if (healthy && !healthy_.exchange(true)) note_success();
    if (!healthy) healthy_ = false;
}

void Member::note_failure(TimePoint now, std::string reason) {
    {
        const std::lock_guard lock(mutex_);
        failure_reason_ = std::move(reason);
    }
    const auto doublings = std::min(failures_.fetch_add(1), most_doublings);
    const auto out = std::min(first_ejection * (1 << doublings), longest_ejection);
    ejected_until_ = (now + out).time_since_epoch().count();
}

void Member::note_success() {
    if (failures_.load() == 0) return;
    failures_ = 0;
    ejected_until_ = 0;
}

MemberState Member::state(TimePoint now) const {
    if (draining_) return MemberState::draining;
    if (!present_) return MemberState::away;
    if (!healthy_) return MemberState::down;
    if (now.time_since_epoch().count() < ejected_until_.load()) return MemberState::ejected;
    return MemberState::up;
}

std::string Member::reason(TimePoint now) const {
    const std::lock_guard lock(mutex_);
    switch (state(now)) {
        case MemberState::up:
            return {};
        case MemberState::down:
            return check_reason_;
        case MemberState::ejected:
            return failure_reason_;
        case MemberState::draining:
            return "its owner wants no new visitors for it";
        case MemberState::away:
            return "its client is not connected";
    }
    return {};
}

}  // namespace tunnel::server
