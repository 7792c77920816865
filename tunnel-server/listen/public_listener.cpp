#include "tunnel-server/listen/public_listener.hpp"

#include "common/net/socket.hpp"

namespace tunnel::server {

namespace {

constexpr net::Liveness visitor_liveness{Seconds(60), Seconds(120)};

// The sockets of every address, in the order of `bind`.
Result<std::vector<net::ListenSockets>> open_on_all(const std::vector<IpAddress>& bind, Port port,
                                                    std::size_t count) {
    std::vector<net::ListenSockets> groups;
    for (const auto& address : bind) {
        auto endpoint = net::to_endpoint({to_string(address), port});
        if (!endpoint) return pass(std::move(endpoint.error()));
        auto sockets = net::open_listeners(*endpoint, count);
        if (!sockets) return pass(std::move(sockets.error()));
        for (const auto& socket : *sockets) net::prepare_for_relay(socket->fd(), visitor_liveness);
        groups.push_back(std::move(*sockets));
    }
    return groups;
}

}  // namespace

Result<std::shared_ptr<PublicListener>> PublicListener::open(net::WorkerPool& workers,
                                                             const std::vector<IpAddress>& bind, Port port,
                                                             const Log& log, VisitorHandler on_visitor) {
    auto groups = open_on_all(bind, port, workers.size());
    if (!groups) return pass(std::move(groups.error()));
    net::ListenSockets all;
    for (const auto& sockets : *groups) {
        for (std::size_t i = 0; i < sockets.size(); ++i) {
            auto& worker = workers.at(i);
            asio::post(worker.executor(), [&worker, socket = sockets[i], log, on_visitor] {
                auto on_accept = [&worker, on_visitor](net::Accepted accepted) {
                    on_visitor(worker, std::move(accepted));
                };
                worker.tasks().spawn(net::accept_loop(socket, net::Accepts::visitors, log, on_accept));
            });
            all.push_back(sockets[i]);
        }
    }
    return std::shared_ptr<PublicListener>(new PublicListener(std::move(all), port));
}

Status PublicListener::probe(const std::vector<IpAddress>& bind, Port port) {
    auto groups = open_on_all(bind, port, 1);
    if (!groups) return pass(std::move(groups.error()));
    return {};
}

PublicListener::~PublicListener() {
    for (const auto& socket : sockets_) socket->close_now();
}

}  // namespace tunnel::server
