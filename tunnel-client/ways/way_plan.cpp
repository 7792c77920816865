#include "tunnel-client/ways/way_plan.hpp"

#include <algorithm>

namespace tunnel::client {

void WayPlan::worked() {
    first_ = at_;
    failures_.clear();
}

bool WayPlan::begins_alike(const Way& a, const Way& b) const {
    return a.first_hop() == b.first_hop();
}

bool WayPlan::failed(const Error& error, bool reached) {
    const auto failing = ways_[at_];
    failures_.push_back({failing, error});
    do {
        at_ = (at_ + 1) % ways_.size();
    } while (at_ != first_ && !reached && begins_alike(*ways_[at_], *failing));
    if (at_ != first_) return false;

    const auto all_alike = [&](auto member) {
        return std::all_of(failures_.begin(), failures_.end(), [&](const Failure& failure) {
            return failure.error.*member == failures_.front().error.*member;
        });
    };
    summary_ = failures_.front().error;
    if (!all_alike(&Error::code)) summary_.code = Errc::unavailable;
    if (!all_alike(&Error::message)) {
        std::vector<std::string> each;
        for (const auto& failure : failures_)
            each.push_back(fmt::format("{} {}: {}", to_string(failure.way->server), to_string(*failure.way),
                                       failure.error.message));
        summary_.message = fmt::format("{}", fmt::join(each, "; "));
    }
    failures_.clear();
    return true;
}

}  // namespace tunnel::client
