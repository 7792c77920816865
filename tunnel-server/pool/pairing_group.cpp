#include "tunnel-server/pool/pairing_group.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace tunnel::server {

PairingGroup::PairingGroup(net::WorkerPool& workers, asio::any_io_executor control,
                           const StreamFailure& on_failure)
    : workers_(workers), control_(std::move(control)) {
    for (std::size_t i = 0; i < workers_.size(); ++i)
        pairings_.push_back(std::make_unique<Pairing>(
            workers_.at(i), tickets_, counters_,
            Pairing::Hooks{[this](WaitingVisitor visitor) {
                               std::vector<WaitingVisitor> one;
                               one.push_back(std::move(visitor));
                               tell(waiting_, std::move(one));
                           },
                           [this](std::vector<PoolNotice> notices) { tell(notices_, std::move(notices)); },
                           on_failure}));
}

template <class Message>
void PairingGroup::tell(std::vector<Message>& inbox, std::vector<Message> messages) {
    const std::lock_guard lock(mutex_);
    std::move(messages.begin(), messages.end(), std::back_inserter(inbox));
    if (!std::exchange(delivery_posted_, true)) asio::post(control_, [this] { deliver(); });
}

void PairingGroup::deliver() {
    std::vector<PoolNotice> notices;
    std::vector<WaitingVisitor> waiting;
    {
        const std::lock_guard lock(mutex_);
        delivery_posted_ = false;
        notices.swap(notices_);
        waiting.swap(waiting_);
    }
    for (const auto& notice : notices) events_->on_notice(notice);
    for (auto& visitor : waiting) events_->on_waiting(std::move(visitor));
}

void PairingGroup::serve(std::size_t worker, WaitingVisitor visitor, SessionId session) {
    at_worker(worker, [visitor = std::move(visitor), session](Pairing& pairing) mutable {
        pairing.serve(std::move(visitor), session);
    });
}

void PairingGroup::drop(const SeatKey& seat) {
    for (std::size_t i = 0; i < workers(); ++i)
        at_worker(i, [seat](Pairing& pairing) { pairing.drop(seat); });
}

void PairingGroup::hurry() {
    for (std::size_t i = 0; i < workers(); ++i) at_worker(i, [](Pairing& pairing) { pairing.tell(); });
}

void PairingGroup::trim(std::size_t worker, const SeatKey& seat, std::size_t count) {
    at_worker(worker, [seat, count](Pairing& pairing) { pairing.trim(seat, count); });
}

void PairingGroup::set_liveness(net::Liveness liveness) {
    for (std::size_t i = 0; i < workers(); ++i)
        at_worker(i, [liveness](Pairing& pairing) { pairing.set_liveness(liveness); });
}

void PairingGroup::close() {
    for (std::size_t i = 0; i < workers(); ++i) at_worker(i, [](Pairing& pairing) { pairing.close(); });
}

}  // namespace tunnel::server
