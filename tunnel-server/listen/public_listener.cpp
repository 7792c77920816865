#include "tunnel-server/listen/public_listener.hpp"

#include "common/net/socket.hpp"

namespace tunnel::server {

namespace {

// Ports of longer ranges have one socket each, at the workers in turn: a range is there for its ports, and no
// descriptor is to be spent on each of them for each worker.
constexpr unsigned most_ports_on_all_workers = 16;

// What is accepted inherits these (Linux).
void prepare(int fd, Seconds keepalive) {
    net::set_no_delay(fd);
    net::set_reset_on_close(fd, true);
    if (keepalive > Seconds(0))
        net::set_keepalive(fd, {keepalive, 2 * keepalive});
    else
        net::clear_keepalive(fd);
}

// The sockets of every address and port, those of one port beside each other.
Result<std::vector<net::ListenSockets>> open_on_all(const PublicPlace& place, std::size_t count) {
    std::vector<net::ListenSockets> groups;
    for (unsigned port = place.ports.first; port <= place.ports.last; ++port) {
        for (const auto& address : place.addresses) {
            auto endpoint = net::to_endpoint({to_string(address), static_cast<Port>(port)});
            if (!endpoint) return pass(std::move(endpoint.error()));
            auto sockets = net::open_listeners(*endpoint, count);
            if (!sockets) return pass(std::move(sockets.error()));
            for (const auto& socket : *sockets) prepare(socket->fd(), place.keepalive);
            groups.push_back(std::move(*sockets));
        }
    }
    return groups;
}

unsigned count_of(const PortRange& ports) {
    return ports.last - ports.first + 1U;
}

std::size_t sockets_per_port(const PublicPlace& place, std::size_t workers) {
    return count_of(place.ports) > most_ports_on_all_workers ? 1 : workers;
}

}  // namespace

std::size_t PublicListener::sockets_for(const PublicPlace& place, std::size_t workers) {
    if (!place.path.empty()) return 1;
    return count_of(place.ports) * place.addresses.size() * sockets_per_port(place, workers);
}

Result<std::shared_ptr<PublicListener>> PublicListener::open(net::WorkerPool& workers,
                                                             const PublicPlace& place, const Log& log,
                                                             VisitorHandler on_visitor) {
    std::shared_ptr<PublicListener> listener(new PublicListener());
    if (!place.path.empty()) {
        auto made = net::UnixListener::open(place.path);
        if (!made) return pass(std::move(made.error()));
        listener->unix_ = std::move(*made);
        for (std::size_t i = 0; i < workers.size(); ++i)
            listener->serve(workers.at(i), listener->unix_->socket(), log, on_visitor);
        return listener;
    }
    auto groups = open_on_all(place, sockets_per_port(place, workers.size()));
    if (!groups) return pass(std::move(groups.error()));
    std::size_t turn = 0;
    for (const auto& sockets : *groups) {
        for (const auto& socket : sockets) {
            listener->serve(workers.at(turn++ % workers.size()), socket, log, on_visitor);
            listener->sockets_.push_back(socket);
        }
    }
    return listener;
}

void PublicListener::serve(net::Worker& worker, const std::shared_ptr<net::ListenSocket>& socket,
                           const Log& log, const VisitorHandler& on_visitor) {
    asio::post(worker.executor(), [&worker, socket, log, on_visitor] {
        auto on_accept = [&worker, on_visitor](net::Accepted accepted) {
            on_visitor(worker, std::move(accepted));
        };
        worker.tasks().spawn(net::accept_loop(socket, net::Accepts::visitors, log, on_accept));
    });
}

Status PublicListener::probe(const PublicPlace& place) {
    if (!place.path.empty()) {
        auto made = net::UnixListener::open(place.path);
        if (!made) return pass(std::move(made.error()));
        return {};
    }
    auto groups = open_on_all(place, 1);
    if (!groups) return pass(std::move(groups.error()));
    return {};
}

PublicListener::~PublicListener() {
    for (const auto& socket : sockets_) socket->close_now();
}

void PublicListener::set_keepalive(Seconds keepalive) {
    for (const auto& socket : sockets_) prepare(socket->fd(), keepalive);
}

}  // namespace tunnel::server
