#include "tunnel-server/udp/udp_plane.hpp"

#include "common/net/hop.hpp"

namespace tunnel::server {

namespace {

// Where packets name their path (tls/packet.hpp), by which the kernel chooses the worker.
constexpr std::uint32_t path_offset = 4;

net::udp::endpoint as_udp(const net::tcp::endpoint& address) {
    return {address.address(), address.port()};
}

// By address, then by worker.
using Sockets = std::vector<std::vector<net::UniqueFd>>;

// Of one port.
Result<Sockets> open_port(const std::vector<IpAddress>& addresses, Port port, std::size_t workers) {
    Sockets all;
    for (const auto& address : addresses) {
        auto endpoint = net::to_endpoint({to_string(address), port});
        if (!endpoint) return pass(std::move(endpoint.error()));
        auto sockets = net::open_udp_sockets(as_udp(*endpoint), workers);
        if (!sockets) return pass(std::move(sockets.error()));
        for (const auto& socket : *sockets) net::set_receive_bursts(socket.get());
        all.push_back(std::move(*sockets));
    }
    return all;
}

// Of each port of a mapping.
Result<std::vector<Sockets>> open_ports(const PublicPlace& place, std::size_t workers) {
    std::vector<Sockets> ports;
    for (unsigned port = place.ports.first; port <= place.ports.last; ++port) {
        auto sockets = open_port(place.addresses, static_cast<Port>(port), workers);
        if (!sockets) return pass(std::move(sockets.error()));
        ports.push_back(std::move(*sockets));
    }
    return ports;
}

// The sockets of one worker.
std::vector<net::UniqueFd> take_of(Sockets& all, std::size_t worker) {
    std::vector<net::UniqueFd> out;
    for (auto& sockets : all) out.push_back(std::move(sockets[worker]));
    return out;
}

}  // namespace

UdpListener::~UdpListener() {
    for (auto& [worker, entrance] : entrances_)
        asio::post(worker->context(), [entrance = std::move(entrance)] { entrance->close(); });
}

UdpPlane::UdpPlane(net::WorkerPool& workers, PairingGroup& pairings, UdpWorker::Failure on_failure)
    : workers_(workers) {
    for (std::size_t i = 0; i < workers_.size(); ++i)
        at_.push_back(std::make_unique<UdpWorker>(workers_.at(i), pairings.at(i), workers_.size(), on_failure,
                                                  bad_packets_));
}

void UdpPlane::take_packets(const std::vector<net::tcp::endpoint>& addresses, const Log& log) {
    Sockets all;
    for (const auto& address : addresses) {
        auto sockets = net::open_udp_sockets(as_udp(address), workers_.size());
        std::string reason;
        if (!sockets) reason = sockets.error().message;
        const int error =
            sockets ? net::steer_by_number(sockets->front().get(), path_offset, workers_.size()) : 0;
        if (error != 0) reason = std::generic_category().message(error);
        if (!reason.empty()) {
            log.warn("datagrams go by stream only", {{"address", net::to_text(address)}, {"reason", reason}});
            continue;
        }
        for (const auto& socket : *sockets) {
            net::set_path_probing(socket.get());
            net::set_receive_bursts(socket.get());
        }
        all.push_back(std::move(*sockets));
    }
    for (std::size_t i = 0; i < at_.size(); ++i)
        asio::post(at_[i]->context(), [worker = at_[i].get(), sockets = take_of(all, i)]() mutable {
            worker->take_packets(std::move(sockets));
        });
}

Result<std::shared_ptr<UdpListener>> UdpPlane::open(const PublicPlace& place,
                                                    const std::shared_ptr<RouteCell>& routes) {
    auto ports = open_ports(place, at_.size());
    if (!ports) return pass(std::move(ports.error()));
    UdpListener::Entrances entrances;
    for (std::uint32_t offset = 0; offset < ports->size(); ++offset) {
        for (std::size_t i = 0; i < at_.size(); ++i) {
            auto entrance =
                std::make_shared<UdpEntrance>(*at_[i], take_of((*ports)[offset], i), routes, offset);
            asio::post(at_[i]->context(), [entrance] { entrance->start(); });
            entrances.emplace_back(at_[i].get(), std::move(entrance));
        }
    }
    const auto sockets = entrances.size() * place.addresses.size();
    return std::make_shared<UdpListener>(std::move(entrances), sockets);
}

Status UdpPlane::probe(const PublicPlace& place) {
    auto ports = open_ports(place, 1);
    if (!ports) return pass(std::move(ports.error()));
    return {};
}

net::awaitable<void> UdpPlane::close() {
    for (auto& worker : at_) {
        auto pending = net::ask(worker->context().get_executor(), [at = worker.get()] { at->close(); });
        co_await std::move(pending);
    }
}

}  // namespace tunnel::server
