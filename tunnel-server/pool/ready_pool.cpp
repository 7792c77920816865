#include "tunnel-server/pool/ready_pool.hpp"

#include <sys/epoll.h>

#include <algorithm>
#include <utility>

namespace tunnel::server {

ReadyPool::ReadyPool(net::EventSet& events, Lost on_lost) : events_(events), on_lost_(std::move(on_lost)) {}

ReadyPool::~ReadyPool() {
    clear();
}

void ReadyPool::add(const SeatKey& seat, ReadyConnection connection) {
    auto& stack = seats_[seat];
    if (!stack.empty() && stack.front()->connection.preface.session != connection.preface.session)
        (void)trim(seat, stack.size());
    const int fd = connection.fd.get();
    stack.push_back(std::make_unique<Parked>(*this, seat, std::move(connection)));
    events_.hand_over(fd, *stack.back());
}

std::optional<ReadyConnection> ReadyPool::take(const SeatKey& seat, Millis silence) {
    const auto found = seats_.find(seat);
    if (found == seats_.end()) return std::nullopt;
    std::size_t lost = 0;
    SessionId session;
    std::optional<ReadyConnection> taken;
    while (!taken && !found->second.empty()) {
        auto parked = std::move(found->second.back());
        found->second.pop_back();
        const int fd = parked->connection.fd.get();
        session = parked->connection.preface.session;
        // An end that has not been told of yet shows in TCP's state.
        const auto path = net::path_of(fd);
        if (!path.open || path.silent > silence) {
            ++lost;
            close(std::move(parked));
        } else {
            events_.let_go(fd);
            taken = std::move(parked->connection);
            taken->round_trip = path.round_trip;
        }
    }
    if (lost > 0) on_lost_(seat, session, lost);
    return taken;
}

// The client says nothing on a data connection until a visitor is there: bytes are as wrong as an end.
void ReadyPool::on_events(Parked& parked, std::uint32_t events) {
    if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) == 0) return;
    auto& stack = seats_[parked.seat];
    const auto found =
        std::find_if(stack.begin(), stack.end(), [&parked](const auto& one) { return one.get() == &parked; });
    if (found == stack.end()) return;
    auto owned = std::move(*found);
    stack.erase(found);
    const auto seat = parked.seat;
    const auto session = parked.connection.preface.session;
    close(std::move(owned));
    on_lost_(seat, session, 1);
}

void ReadyPool::close(std::unique_ptr<Parked> parked) {
    events_.forget(parked->connection.fd.get());
}

std::size_t ReadyPool::trim(const SeatKey& seat, std::size_t count) {
    const auto found = seats_.find(seat);
    if (found == seats_.end()) return 0;
    auto& stack = found->second;
    count = std::min(count, stack.size());
    const auto end = stack.begin() + static_cast<std::ptrdiff_t>(count);
    for (auto it = stack.begin(); it != end; ++it) close(std::move(*it));
    stack.erase(stack.begin(), end);
    return count;
}

void ReadyPool::drop(const SeatKey& seat) {
    (void)trim(seat, size(seat));
    seats_.erase(seat);
}

void ReadyPool::clear() {
    while (!seats_.empty()) drop(seats_.begin()->first);
}

std::size_t ReadyPool::size(const SeatKey& seat) const {
    const auto found = seats_.find(seat);
    return found == seats_.end() ? 0 : found->second.size();
}

SessionId ReadyPool::session(const SeatKey& seat) const {
    return seats_.at(seat).front()->connection.preface.session;
}

}  // namespace tunnel::server
