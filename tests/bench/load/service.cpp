#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "tests/bench/load/pattern.hpp"
#include "tests/bench/load/stats.hpp"
#include "tests/bench/load/verbs.hpp"

namespace tunnel::bench {
namespace {

constexpr std::uint64_t kListenerTag = 0;
constexpr std::uint64_t kStdinTag = 1;
constexpr std::size_t kBudget = kPatternSize;  // bytes a connection may send before the others get their turn

struct Connection {
    enum class Kind { unknown, echo, bulk };
    Fd fd;
    Kind kind = Kind::unknown;
    std::vector<std::uint8_t> pending;  // echo: received, not sent back yet. Before that: the request's bytes
    std::uint64_t offset = 0;           // bulk: bytes sent
    std::uint64_t length = 0;           // bulk: bytes to send; 0: endless
};

class Service {
  public:
    Service() : buffer_(64 * 1024), pattern_(make_pattern()) {
        std::tie(listener_, port_) = listen_loopback();
    }

    int run(Clock::time_point deadline) {
        const Fd standard_input(::dup(STDIN_FILENO));
        poller_.watch(listener_, EPOLLIN, kListenerTag);
        poller_.watch(standard_input, EPOLLIN, kStdinTag);
        Json().add("port", std::uint64_t{port_}).print();
        while (Clock::now() < deadline) {
            for (const auto& event : poller_.wait(1000)) {
                if (event.data.u64 == kStdinTag) {
                    if (::read(STDIN_FILENO, buffer_.data(), buffer_.size()) <= 0) return 0;
                } else if (event.data.u64 == kListenerTag) {
                    accept_all();
                } else {
                    serve(event);
                }
            }
        }
        return 0;
    }

  private:
    void accept_all() {
        for (;;) {
            Fd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
            if (!fd.valid()) {
                if (errno == EMFILE || errno == ENFILE)
                    die_errno("the service cannot accept more connections");
                return;
            }
            auto connection = std::make_unique<Connection>();
            connection->fd = std::move(fd);
            auto* key = connection.get();
            poller_.watch(key->fd, EPOLLIN, reinterpret_cast<std::uint64_t>(key));
            connections_.emplace(key, std::move(connection));
        }
    }

    void serve(const epoll_event& event) {
        auto* connection = reinterpret_cast<Connection*>(event.data.u64);
        bool alive = (event.events & EPOLLERR) == 0;
        if (alive && (event.events & (EPOLLIN | EPOLLHUP)) != 0) alive = on_readable(*connection);
        if (alive && (event.events & EPOLLOUT) != 0) alive = on_writable(*connection);
        if (!alive) connections_.erase(connection);
    }

    bool on_readable(Connection& connection) {
        const ssize_t got = ::recv(connection.fd.get(), buffer_.data(), buffer_.size(), 0);
        if (got < 0) return errno == EAGAIN || errno == EINTR;
        if (got == 0) return false;
        auto& pending = connection.pending;
        const auto* bytes = buffer_.data();
        if (connection.kind == Connection::Kind::unknown) {
            if (bytes[0] != kEcho && bytes[0] != kBulk && pending.empty()) return false;
            const auto first = pending.empty() ? bytes[0] : pending[0];
            connection.kind = first == kEcho ? Connection::Kind::echo : Connection::Kind::unknown;
        }
        if (connection.kind == Connection::Kind::echo)
            return echo(connection, bytes, static_cast<std::size_t>(got));
        if (connection.kind == Connection::Kind::bulk)
            return true;  // a visitor has nothing to say while downloading
        pending.insert(pending.end(), bytes, bytes + got);
        return pending.size() < kBulkRequestSize || start_bulk(connection);
    }

    bool start_bulk(Connection& connection) {
        for (std::size_t i = 1; i < kBulkRequestSize; ++i) {
            connection.length = connection.length << 8U | connection.pending[i];
        }
        connection.pending.clear();
        connection.kind = Connection::Kind::bulk;
        watch_output(connection, true);
        return true;
    }

    bool echo(Connection& connection, const std::uint8_t* bytes, std::size_t count) {
        const ssize_t sent = ::send(connection.fd.get(), bytes, count, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN) return false;
        const auto done = static_cast<std::size_t>(std::max<ssize_t>(sent, 0));
        if (done == count) return true;
        connection.pending.assign(bytes + done, bytes + count);
        watch_output(connection, true);  // reads no more until the rest is out, so `pending` stays bounded
        return true;
    }

    bool on_writable(Connection& connection) {
        return connection.kind == Connection::Kind::bulk ? send_bulk(connection) : send_pending(connection);
    }

    bool send_pending(Connection& connection) {
        auto& pending = connection.pending;
        const ssize_t sent = ::send(connection.fd.get(), pending.data(), pending.size(), MSG_NOSIGNAL);
        if (sent < 0) return errno == EAGAIN;
        pending.erase(pending.begin(), pending.begin() + sent);
        if (pending.empty()) watch_output(connection, false);
        return true;
    }

    bool send_bulk(Connection& connection) {
        for (std::size_t budget = kBudget; budget > 0;) {
            const auto place = connection.offset % kPatternSize;
            std::uint64_t want = std::min<std::uint64_t>(kPatternSize - place, budget);
            if (connection.length != 0) want = std::min(want, connection.length - connection.offset);
            if (want == 0) return false;  // all of it is sent: close
            const ssize_t sent = ::send(connection.fd.get(), pattern_->data() + place, want, MSG_NOSIGNAL);
            if (sent < 0) return errno == EAGAIN || errno == EINTR;
            connection.offset += static_cast<std::uint64_t>(sent);
            budget -= static_cast<std::size_t>(sent);
        }
        return true;
    }

    void watch_output(Connection& connection, bool output) {
        poller_.change(connection.fd, output ? EPOLLOUT : EPOLLIN,
                       reinterpret_cast<std::uint64_t>(&connection));
    }

    std::vector<std::uint8_t> buffer_;
    std::unique_ptr<Pattern> pattern_;
    Fd listener_;
    std::uint16_t port_ = 0;
    Poller poller_;
    std::unordered_map<Connection*, std::unique_ptr<Connection>> connections_;
};

}  // namespace

int run_service(const Options& options) {
    const auto lifetime = std::chrono::duration_cast<Clock::duration>(options.max_seconds);
    return Service().run(Clock::now() + lifetime);
}

}  // namespace tunnel::bench
