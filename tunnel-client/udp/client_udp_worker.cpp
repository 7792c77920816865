#include "tunnel-client/udp/client_udp_worker.hpp"

#include "tunnel-client/udp/flow_group.hpp"

namespace tunnel::client {

namespace {

constexpr Millis busy_tick{100};
constexpr Millis idle_tick{1000};

}  // namespace

ClientUdpWorker::ClientUdpWorker(net::Worker& worker, const Log& log)
    : worker_(worker),
      log_(log),
      kernel_cuts_(net::can_send_bursts()),
      sender_(kernel_cuts_),
      timer_(worker.context()) {}

ClientUdpWorker::~ClientUdpWorker() = default;

void ClientUdpWorker::adopt(DatagramGrant grant) {
    if (closed_) return;
    if (!receiver_) receiver_ = std::make_unique<net::DatagramReceiver>();
    if (!carrier_buffers_) carrier_buffers_ = std::make_unique<net::CarrierBuffers>();
    const auto number = grant.open.datagrams->group;
    auto& group = groups_[number];
    if (!group) group = std::make_unique<FlowGroup>(*this, grant.open, grant.service);
    group->add(std::move(grant));
    // At once, so that the server learns without delay whether packets pass.
    timer_.cancel();
    tick();
}

void ClientUdpWorker::check(const ServiceRules& rules) {
    for (auto at = groups_.begin(); at != groups_.end();)
        at = at->second->still_permitted(rules) ? std::next(at) : drop(at);
}

ClientUdpWorker::Groups::iterator ClientUdpWorker::drop(Groups::iterator at) {
    FlowGroup::retire(context(), std::move(at->second));
    return groups_.erase(at);
}

void ClientUdpWorker::close() {
    closed_ = true;
    timer_.cancel();
    while (!groups_.empty()) (void)drop(groups_.begin());
}

void ClientUdpWorker::tick() {
    if (closed_) return;
    const auto now = Clock::now();
    const bool sweep = now - swept_at_ >= idle_tick;
    if (sweep) swept_at_ = now;
    bool busy = false;
    for (auto at = groups_.begin(); at != groups_.end();) {
        auto& group = *at->second;
        group.tick(now);
        if (sweep) group.sweep(now);
        busy = busy || group.busy(now);
        at = group.finished() ? drop(at) : std::next(at);
    }
    if (groups_.empty()) return;
    timer_.expires_after(busy ? busy_tick : idle_tick);
    timer_.async_wait([this](const std::error_code& error) {
        if (!error) tick();
    });
}

}  // namespace tunnel::client
