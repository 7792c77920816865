#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <map>
#include <memory>
#include <random>
#include <thread>
#include <utility>

#include "tests/bench/load/datagram_batch.hpp"
#include "tests/bench/load/stats.hpp"
#include "tests/bench/load/verbs.hpp"

namespace tunnel::bench {
namespace {

constexpr std::uint64_t kStdinTag = 0;
constexpr std::uint64_t kClientsTag = 1;

// Of TCP nothing is lost, and it carries little here: two threads a connection, which live until it or the
// process ends.
void pump(const std::shared_ptr<std::array<Fd, 2>>& connection, std::size_t from) {
    const int source = (*connection)[from].get();
    const int sink = (*connection)[1 - from].get();
    std::array<std::uint8_t, 65536> buffer;
    for (ssize_t got = 0; (got = ::recv(source, buffer.data(), buffer.size(), 0)) > 0;) {
        for (ssize_t done = 0; done < got;) {
            const auto sent =
                ::send(sink, buffer.data() + done, static_cast<std::size_t>(got - done), MSG_NOSIGNAL);
            if (sent < 0) return;
            done += sent;
        }
    }
    ::shutdown(sink, SHUT_WR);
}

void accept_connections(const Fd& listener, const Endpoint& target) {
    for (;;) {
        auto connection = std::make_shared<std::array<Fd, 2>>();
        auto& [visitor, service] = *connection;
        visitor = Fd(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
        if (!visitor.valid()) die_errno("a connection could not be accepted");
        service = Fd(::socket(target.address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
        const auto* address = reinterpret_cast<const sockaddr*>(&target.address);
        if (::connect(service.get(), address, target.length) != 0) continue;
        std::thread(pump, connection, 0).detach();
        std::thread(pump, connection, 1).detach();
    }
}

// Hands packets on in both directions, but for those it loses: each client address has a socket towards the
// target.
class LossyPath {
  public:
    LossyPath(const Options& options, Fd clients)
        : options_(options), clients_(std::move(clients)), poller_(), random_(1) {
        widen(clients_);
        poller_.watch(clients_, EPOLLIN, kClientsTag);
    }

    int run(Clock::time_point deadline) {
        const Fd standard_input(::dup(STDIN_FILENO));
        poller_.watch(standard_input, EPOLLIN, kStdinTag);
        std::array<char, 64> ignored;
        while (Clock::now() < deadline) {
            for (const auto& event : poller_.wait(1000)) {
                if (event.data.u64 == kClientsTag)
                    to_target();
                else if (event.data.u64 != kStdinTag)
                    to_client(*reinterpret_cast<Client*>(event.data.u64));
                else if (::read(STDIN_FILENO, ignored.data(), ignored.size()) <= 0)
                    return 0;
            }
        }
        return 0;
    }

  private:
    struct Client {
        sockaddr_in address;
        Fd fd;
    };
    using Key = std::pair<std::uint32_t, std::uint16_t>;

    bool loses() { return random_() % 1000 < options_.loss; }

    void to_target() {
        const auto count = batch_.receive(clients_);
        for (std::size_t i = 0; i < count; ++i) {
            const auto bytes = batch_.at(i);
            if (!loses()) (void)::send(client_of(batch_.from(i)).fd.get(), bytes.data(), bytes.size(), 0);
        }
    }

    void to_client(const Client& client) {
        const auto count = batch_.receive(client.fd);
        for (std::size_t i = 0; i < count; ++i) {
            const auto bytes = batch_.at(i);
            if (loses()) continue;
            (void)::sendto(clients_.get(), bytes.data(), bytes.size(), 0,
                           reinterpret_cast<const sockaddr*>(&client.address), sizeof client.address);
        }
    }

    const Client& client_of(const sockaddr_storage& from) {
        const auto& address = reinterpret_cast<const sockaddr_in&>(from);
        auto& client = by_address_[Key{address.sin_addr.s_addr, address.sin_port}];
        if (client) return *client;
        client =
            std::make_unique<Client>(Client{address, Fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0))});
        const auto* target = reinterpret_cast<const sockaddr*>(&options_.target.address);
        if (!client->fd.valid() || ::connect(client->fd.get(), target, options_.target.length) != 0)
            die_errno("the target");
        widen(client->fd);
        poller_.watch(client->fd, EPOLLIN, reinterpret_cast<std::uint64_t>(client.get()));
        return *client;
    }

    const Options& options_;
    Fd clients_;
    Poller poller_;
    std::minstd_rand random_;
    DatagramBatch batch_;
    std::map<Key, std::unique_ptr<Client>> by_address_;
};

}  // namespace

int run_lossy(const Options& options) {
    static auto [listener, port] = listen_loopback();
    // accept4 is to wait.
    const int flags = ::fcntl(listener.get(), F_GETFL);
    ::fcntl(listener.get(), F_SETFL, flags & ~O_NONBLOCK);
    Fd packets(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (!packets.valid() || ::bind(packets.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
        die_errno("the port of 127.0.0.1 that TCP has could not be bound for UDP");
    Json().add("port", std::uint64_t{port}).print();
    std::thread(accept_connections, std::cref(listener), options.target).detach();
    const auto deadline = Clock::now() + std::chrono::duration_cast<Clock::duration>(options.max_seconds);
    const int code = LossyPath(options, std::move(packets)).run(deadline);
    // Other threads still use what exit() would take down.
    std::_Exit(code);
}

}  // namespace tunnel::bench
