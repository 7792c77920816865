#include "tests/integration/support/service.hpp"

#include <sys/socket.h>

namespace tunnel::test {

Service::Service(Handler handler, Listening listening)
    : handler_(std::move(handler)), listening_(std::move(listening)), thread_([this] { accept(); }) {}

Service::~Service() {
    (void)::shutdown(listening_.fd.get(), SHUT_RDWR);
    thread_.join();
    for (auto& connection : connections_) {
        {
            const std::lock_guard lock(mutex_);
            if (!connection.finished) connection.peer.interrupt();
        }
        connection.thread.join();
    }
}

void Service::accept() {
    for (;;) {
        net::UniqueFd fd(::accept4(listening_.fd.get(), nullptr, nullptr, SOCK_CLOEXEC));
        if (!fd) return;
        ++accepted_;
        ++running_;
        reap();
        auto& connection = connections_.emplace_back(std::move(fd));
        connection.thread = std::thread([this, &connection] { serve(connection); });
    }
}

void Service::serve(Connection& connection) {
    handler_(connection.peer);
    {
        // Not while the destructor interrupts it.
        const std::lock_guard lock(mutex_);
        connection.peer.close();
        connection.finished = true;
    }
    --running_;
}

// Joins the threads that have ended.
void Service::reap() {
    for (auto it = connections_.begin(); it != connections_.end();) {
        if (it->finished) {
            it->thread.join();
            it = connections_.erase(it);
        } else {
            ++it;
        }
    }
}

void echo(Peer& visitor) {
    for (;;) {
        const auto bytes = visitor.receive_some(64 * 1024);
        if (bytes.empty() || !visitor.send(bytes)) break;
    }
    visitor.finish();
}

}  // namespace tunnel::test
