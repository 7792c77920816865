#pragma once
// A service inside: listens on 127.0.0.1 and runs a handler on a thread of its own for each connection.

#include <atomic>
#include <functional>
#include <list>
#include <mutex>
#include <string>
#include <thread>

#include "tests/integration/support/peer.hpp"

namespace tunnel::test {

class Service {
  public:
    using Handler = std::function<void(Peer&)>;
    explicit Service(Handler handler, Listening listening = listen_on_loopback());
    Service(const Service&) = delete;
    Service& operator=(const Service&) = delete;
    // Interrupts and joins every handler.
    ~Service();

    Port port() const { return listening_.port; }
    std::string address() const { return "127.0.0.1:" + std::to_string(port()); }
    // Connections ever, and those whose handler runs.
    std::size_t accepted() const { return accepted_; }
    std::size_t running() const { return running_; }

  private:
    struct Connection {
        explicit Connection(net::UniqueFd fd) : peer(std::move(fd)) {}
        Peer peer;
        std::thread thread;
        std::atomic<bool> finished{false};
    };
    void accept();
    void serve(Connection& connection);
    void reap();

    Handler handler_;
    Listening listening_;
    std::atomic<std::size_t> accepted_{0};
    std::atomic<std::size_t> running_{0};
    std::mutex mutex_;
    std::list<Connection> connections_;
    std::thread thread_;
};

// Sends back what comes and finishes when the visitor does.
void echo(Peer& visitor);

}  // namespace tunnel::test
