#include "tests/integration/support/proxy.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <system_error>

#include "common/net/socket.hpp"

namespace tunnel::test {

namespace {

constexpr int look_again_ms = 20;

// True when the socket is ready; false after a moment, so that the caller looks at its flags.
bool ready(int fd, short events) {
    pollfd state{fd, events, 0};
    return ::poll(&state, 1, look_again_ms) > 0;
}

}  // namespace

struct Proxy::Connection {
    explicit Connection(net::UniqueFd fd) : client(std::move(fd)) {}
    net::UniqueFd client;
    net::UniqueFd server;
    Kind kind = Kind::control;
    std::atomic<bool> joined{false};  // both sockets are there, and the kind is known
    std::atomic<bool> broken{false};
    std::atomic<bool> finished{false};
    std::thread thread;
    Bytes head;  // of a data connection, until it is recorded
};

// Not of the ephemeral range: a PacketProxy wants the same number for UDP, and thousands of visitors have
// theirs there.
Proxy::Proxy(Port upstream)
    : listening_(std::move(listen_on_row(1).front())), upstream_(upstream), thread_([this] { accept(); }) {}

Proxy::~Proxy() {
    ending_ = true;
    (void)::shutdown(listening_.fd.get(), SHUT_RDWR);
    thread_.join();
    for (auto& connection : connections_) connection.broken = true;
    for (auto& connection : connections_) connection.thread.join();
}

void Proxy::accept() {
    for (;;) {
        net::UniqueFd fd(::accept4(listening_.fd.get(), nullptr, nullptr, SOCK_CLOEXEC));
        if (!fd) return;
        if (door_closed_) {
            net::set_reset_on_close(fd.get(), true);
            continue;
        }
        const std::lock_guard lock(mutex_);
        reap();
        auto& connection = connections_.emplace_back(std::move(fd));
        connection.thread = std::thread([this, &connection] { serve(connection); });
    }
}

void Proxy::reap() {
    for (auto it = connections_.begin(); it != connections_.end();) {
        if (it->finished) {
            it->thread.join();
            it = connections_.erase(it);
        } else {
            ++it;
        }
    }
}

void Proxy::serve(Connection& connection) {
    Byte first = 0;
    while (!connection.broken && !ready(connection.client.get(), POLLIN)) {
    }
    const auto n = ::recv(connection.client.get(), &first, 1, MSG_PEEK | MSG_DONTWAIT);
    std::optional<Peer> upstream;
    try {
        if (n == 1) upstream.emplace(Peer::connect(upstream_));
    } catch (const std::system_error&) {
        net::set_reset_on_close(connection.client.get(), true);
    }
    if (upstream) {
        connection.server = net::UniqueFd(::dup(upstream->fd()));
        upstream->close();
        connection.kind = first == wire::preface_first_byte ? Kind::data : Kind::control;
        connection.joined = true;
        net::set_no_delay(connection.client.get());
        ++ever_[index(connection.kind)];
        ++open_[index(connection.kind)];
        std::thread back([this, &connection] { pump(connection, Direction::to_client); });
        pump(connection, Direction::to_server);
        back.join();
        if (connection.broken) {
            net::set_reset_on_close(connection.client.get(), true);
            net::set_reset_on_close(connection.server.get(), true);
        }
        --open_[index(connection.kind)];
    }
    connection.client.reset();
    connection.server.reset();
    connection.finished = true;
}

void Proxy::pump(Connection& connection, Direction direction) {
    const bool to_server = direction == Direction::to_server;
    const int from = (to_server ? connection.client : connection.server).get();
    const int to = (to_server ? connection.server : connection.client).get();
    Bytes buffer(64 * 1024);
    std::uint64_t offset = 0;
    while (!connection.broken) {
        if (held_[index(connection.kind)]) {
            std::this_thread::sleep_for(Millis(2));
            continue;
        }
        if (!ready(from, POLLIN)) continue;
        if (held_[index(connection.kind)]) continue;
        const auto n = ::recv(from, buffer.data(), buffer.size(), MSG_DONTWAIT);
        if (n == 0) return net::shut_down(to, net::Half::write);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) continue;
        const auto size = static_cast<std::size_t>(std::max<ssize_t>(n, 0));
        // It may have been told to hold since it looked.
        while (held_[index(connection.kind)] && !connection.broken) std::this_thread::sleep_for(Millis(2));
        if (n < 0 || connection.broken ||
            !pass_on(connection, to, MutableBytes(buffer).first(size), direction, offset)) {
            connection.broken = true;
            return;
        }
        offset += size;
    }
}

bool Proxy::pass_on(Connection& connection, int to, MutableBytes bytes, Direction direction,
                    std::uint64_t offset) {
    if (connection.kind == Kind::data) {
        if (direction == Direction::to_server) record(connection, bytes);
        const auto at = flip_at_[static_cast<std::size_t>(direction)].load();
        const auto first = static_cast<std::int64_t>(offset);
        if (at >= first && at < first + static_cast<std::int64_t>(bytes.size()))
            bytes[static_cast<std::size_t>(at - first)] ^= 0x10;
        data_bytes_[static_cast<std::size_t>(direction)] += bytes.size();
    }
    BytesView rest = bytes;
    while (!rest.empty()) {
        if (connection.broken) return false;
        const auto n = ::send(to, rest.data(), rest.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n > 0) {
            rest = rest.subspan(static_cast<std::size_t>(n));
        } else if (errno == EAGAIN) {
            (void)ready(to, POLLOUT);
        } else if (errno != EINTR) {
            return false;
        }
    }
    return true;
}

void Proxy::record(Connection& connection, BytesView bytes) {
    {
        constexpr std::size_t enough = std::size_t{1} << 20;
        const std::lock_guard lock(mutex_);
        if (seen_.size() < enough) append(seen_, bytes);
    }
    auto& head = connection.head;
    if (head.size() == wire::preface_size) return;
    append(head, bytes.first(std::min(bytes.size(), wire::preface_size - head.size())));
    if (head.size() < wire::preface_size) return;
    wire::PrefaceBytes preface{};
    std::copy(head.begin(), head.end(), preface.begin());
    const std::lock_guard lock(mutex_);
    prefaces_.push_back(preface);
}

void Proxy::cut(Kind kind) {
    const std::lock_guard lock(mutex_);
    for (auto& connection : connections_) {
        if (connection.joined && connection.kind == kind) connection.broken = true;
    }
}

void Proxy::flip(Direction direction, std::optional<std::uint64_t> offset) {
    flip_at_[static_cast<std::size_t>(direction)] = offset ? static_cast<std::int64_t>(*offset) : -1;
}

bool Proxy::saw(BytesView bytes) const {
    const std::lock_guard lock(mutex_);
    return std::search(seen_.begin(), seen_.end(), bytes.begin(), bytes.end()) != seen_.end();
}

std::vector<wire::PrefaceBytes> Proxy::prefaces() const {
    const std::lock_guard lock(mutex_);
    return prefaces_;
}

}  // namespace tunnel::test
