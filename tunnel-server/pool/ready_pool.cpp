#include "tunnel-server/pool/ready_pool.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace tunnel::server {

namespace {

// The client says nothing on a data connection until a visitor is there: bytes are as wrong as an end.
bool broken(int fd) {
    Byte byte = 0;
    return ::recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
}

}  // namespace

ReadyPool::ReadyPool(asio::io_context& context, net::EventSet& events, Lost on_lost)
    : context_(context), events_(events), on_lost_(std::move(on_lost)) {}

ReadyPool::~ReadyPool() {
    clear();
}

bool ReadyPool::add(const SeatKey& seat, ReadyConnection connection) {
    auto& stack = seats_[seat];
    if (!stack.empty() && stack.front()->connection.preface.session != connection.preface.session)
        (void)trim(seat, stack.size());
    const int fd = connection.fd.get();
    auto parked = std::make_unique<Parked>(*this, seat, std::move(connection));
    if (events_.add(fd, *parked) != 0) return false;
    stack.push_back(std::move(parked));
    return true;
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
        if (broken(fd) || net::silent_for(fd) > silence) {
            ++lost;
            (void)release(std::move(parked));
        } else {
            taken = std::move(parked->connection);
            retire(std::move(parked));
        }
    }
    if (lost > 0) on_lost_(seat, session, lost);
    return taken;
}

void ReadyPool::on_events(Parked& parked, std::uint32_t events) {
    // Registration tells that it can be written to.
    if (parked.gone || (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) == 0) return;
    auto& stack = seats_[parked.seat];
    const auto found =
        std::find_if(stack.begin(), stack.end(), [&parked](const auto& one) { return one.get() == &parked; });
    if (found == stack.end()) return;
    auto owned = std::move(*found);
    stack.erase(found);
    const auto seat = parked.seat;
    const auto session = parked.connection.preface.session;
    (void)release(std::move(owned));
    on_lost_(seat, session, 1);
}

ReadyConnection ReadyPool::release(std::unique_ptr<Parked> parked) {
    events_.remove(parked->connection.fd.get());
    auto connection = std::move(parked->connection);
    retire(std::move(parked));
    return connection;
}

void ReadyPool::retire(std::unique_ptr<Parked> parked) {
    parked->gone = true;
    if (events_.telling()) asio::post(context_, [handler = std::move(parked)] {});
}

std::size_t ReadyPool::trim(const SeatKey& seat, std::size_t count) {
    const auto found = seats_.find(seat);
    if (found == seats_.end()) return 0;
    auto& stack = found->second;
    count = std::min(count, stack.size());
    const auto end = stack.begin() + static_cast<std::ptrdiff_t>(count);
    for (auto it = stack.begin(); it != end; ++it) (void)release(std::move(*it));
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
