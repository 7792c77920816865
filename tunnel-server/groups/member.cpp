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

bool Member::set_healthy(bool healthy, std::string reason) {
    {
        const std::lock_guard lock(state_->mutex);
        state_->check_reason = std::move(reason);
    }
    const bool changed = state_->healthy.exchange(healthy) != healthy;
    // A check that succeeds speaks louder than a visitor's failure before it.
    if (healthy && changed) note_success();
    return changed;
}

bool Member::note_failure(TimePoint now, std::string reason) {
    const std::lock_guard lock(state_->mutex);
    state_->failure_reason = std::move(reason);
    if (now.time_since_epoch().count() < state_->ejected_until.load()) return false;
    const auto doublings = std::min(state_->failures.fetch_add(1), most_doublings);
    const auto out = std::min(first_ejection * (1 << doublings), longest_ejection);
    state_->ejected_until = (now + out).time_since_epoch().count();
    return true;
}

void Member::note_success() {
    if (state_->failures.load() == 0) return;
    state_->failures = 0;
    state_->ejected_until = 0;
}

MemberState Member::state(TimePoint now) const {
    return state_->draining ? MemberState::draining : state_for_its_own(now);
}

MemberState Member::state_for_its_own(TimePoint now) const {
    if (!state_->present) return MemberState::away;
    if (!state_->healthy) return MemberState::down;
    if (now.time_since_epoch().count() < state_->ejected_until.load()) return MemberState::ejected;
    return MemberState::up;
}

std::string Member::reason(TimePoint now) const {
    const auto is = state(now);
    const std::lock_guard lock(state_->mutex);
    switch (is) {
        case MemberState::up:
            return {};
        case MemberState::down:
            return state_->check_reason;
        case MemberState::ejected:
            return state_->failure_reason;
        case MemberState::draining:
            return "its owner wants no new visitors for it";
        case MemberState::away:
            return "its client is not connected";
    }
    return {};
}

}  // namespace tunnel::server
