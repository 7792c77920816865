#include "tunnel-server/pool/returned_connections.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace tunnel::server {

ReturnedConnections::ReturnedConnections(asio::io_context& context, PrefaceHandler on_preface)
    : on_preface_(std::move(on_preface)), overdue_(context) {}

void ReturnedConnections::add(Returned connection) {
    if (connection.begun.size() > wire::preface_size) return;
    if (waiting_.size() == most) waiting_.pop_front();
    auto& waiting = waiting_.emplace_back(*this, std::move(connection));
    const auto& begun = waiting.connection.begun;
    waiting.self = std::prev(waiting_.end());
    waiting.since = Clock::now();
    std::copy(begun.begin(), begun.end(), waiting.preface.begin());
    waiting.have = begun.size();
    waiting.connection.socket.set_handler(waiting);
    schedule();
    if (waiting.connection.may_have_more || waiting.have == wire::preface_size) read(waiting);
}

void ReturnedConnections::read(Waiting& waiting) {
    while (waiting.have < waiting.preface.size()) {
        const auto n = ::recv(waiting.connection.socket.fd(), waiting.preface.data() + waiting.have,
                              waiting.preface.size() - waiting.have, MSG_DONTWAIT);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
        if (n <= 0) {
            waiting_.erase(waiting.self);
            return;
        }
        waiting.have += static_cast<std::size_t>(n);
    }
    auto connection = std::move(waiting.connection);
    connection.socket.let_go();
    const auto preface = waiting.preface;
    waiting_.erase(waiting.self);
    on_preface_(std::move(connection), preface);
}

void ReturnedConnections::schedule() {
    if (waiting_.empty() || std::exchange(scheduled_, true)) return;
    overdue_.expires_at(waiting_.front().since + longest_wait);
    overdue_.async_wait([this](const std::error_code& error) {
        scheduled_ = false;
        if (!error) drop_overdue();
    });
}

void ReturnedConnections::drop_overdue() {
    const auto now = Clock::now();
    while (!waiting_.empty() && waiting_.front().since + longest_wait <= now) waiting_.pop_front();
    schedule();
}

void ReturnedConnections::clear() {
    overdue_.cancel();
    waiting_.clear();
}

}  // namespace tunnel::server
