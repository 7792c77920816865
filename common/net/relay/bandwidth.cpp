#include "common/net/relay/bandwidth.hpp"

#include <algorithm>
#include <utility>

namespace tunnel::net {

namespace {

// Leases are short, so that speeds are kept to and shared, and long enough to cost little.
constexpr std::uint64_t shortest_lease = 4 * 1024;
constexpr std::uint64_t longest_lease = 256 * 1024;

}  // namespace

void BandwidthQueue::arm() {
    if (armed_ || waiting_.empty()) return;
    armed_ = true;
    timer_.expires_after(interval);
    timer_.async_wait([this](const std::error_code& error) {
        armed_ = false;
        if (error) return;
        tick(Clock::now());
        arm();
    });
}

BandwidthQueue::Queue::iterator BandwidthQueue::add(Throttle& throttle) {
    const auto place = waiting_.insert(waiting_.end(), &throttle);
    arm();
    return place;
}

// Whoever is served leaves its place and waits anew at the end; who is not keeps its place.
void BandwidthQueue::tick(TimePoint now) {
    auto next = waiting_.begin();
    for (auto turns = waiting_.size(); turns > 0; --turns) {
        auto& throttle = **next++;
        if (!throttle.lease(now)) continue;
        throttle.stop_waiting();
        throttle.on_turn_();
    }
}

Throttle::Throttle(BandwidthQueue& queue, Bandwidths bandwidths)
    : queue_(queue), bandwidths_(std::move(bandwidths)) {}

Throttle::~Throttle() {
    stop_waiting();
    rest();
}

bool Throttle::others_wait() const {
    return std::any_of(bandwidths_.begin(), bandwidths_.end(),
                       [](const auto& bandwidth) { return bandwidth && bandwidth->waiting_ > 0; });
}

std::size_t Throttle::allowance(TimePoint now) {
    // What little is left of a lease would make the next read a short one.
    if (leased_ > 0 && leased_ < longest_lease / 2 && !others_wait()) (void)lease(now);
    if (leased_ > 0) return leased_;
    if (!waiting_ && (others_wait() || !lease(now))) wait();
    return leased_;
}

// As much of each bandwidth as is this direction's share, added to what it has.
bool Throttle::lease(TimePoint now) {
    std::uint64_t wanted = longest_lease - std::min<std::uint64_t>(leased_, longest_lease);
    for (std::size_t i = 0; i < bandwidths_.size(); ++i) {
        auto* const bandwidth = bandwidths_[i].get();
        if (bandwidth == nullptr) continue;
        auto& bucket = bandwidth->bucket_;
        const std::uint64_t sharers = bandwidth->waiting_ + 1U;
        const auto share = std::max(shortest_lease, bucket.available(now) / sharers);
        const auto least = std::min(shortest_lease, std::max<std::uint64_t>(1, bucket.rate().burst / 2));
        const auto taken = bucket.take(now, std::min(wanted, share), std::min(wanted, least));
        for (std::size_t before = 0; before < i; ++before) {
            if (bandwidths_[before]) bandwidths_[before]->bucket_.give_back(wanted - taken);
        }
        wanted = taken;
        if (wanted == 0) return false;
    }
    const auto paid = std::min<std::uint64_t>(owed_, wanted);
    owed_ -= static_cast<std::size_t>(paid);
    leased_ += static_cast<std::size_t>(wanted - paid);
    return leased_ > 0;
}

void Throttle::used(std::size_t bytes) {
    owed_ += bytes - std::min(bytes, leased_);
    leased_ -= std::min(bytes, leased_);
    for (const auto& bandwidth : bandwidths_) {
        if (bandwidth) bandwidth->passed_ += bytes;
    }
}

void Throttle::rest() {
    const auto left = std::exchange(leased_, 0);
    for (const auto& bandwidth : bandwidths_) {
        if (bandwidth && left > 0) bandwidth->bucket_.give_back(left);
    }
}

void Throttle::wait() {
    waiting_ = true;
    for (const auto& bandwidth : bandwidths_) {
        if (bandwidth) bandwidth->waiting_ += 1;
    }
    place_ = queue_.add(*this);
}

void Throttle::stop_waiting() {
    if (!std::exchange(waiting_, false)) return;
    for (const auto& bandwidth : bandwidths_) {
        if (bandwidth) bandwidth->waiting_ -= 1;
    }
    queue_.waiting_.erase(place_);
}

}  // namespace tunnel::net
