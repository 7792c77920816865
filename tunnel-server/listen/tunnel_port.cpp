#include "tunnel-server/listen/tunnel_port.hpp"

#include <sys/socket.h>

#include "common/net/control_channel.hpp"
#include "common/net/deadline.hpp"
#include "common/net/socket.hpp"
#include "common/net/stream_io.hpp"

namespace tunnel::server {

namespace {

// For a whole TLS handshake, and for a preface, which comes with the connection.
constexpr Seconds stranger_limit{10};

// The first byte, left in the socket.
net::awaitable<std::optional<Byte>> peek_first_byte(net::Descriptor& socket) {
    for (;;) {
        Byte first = 0;
        const auto n = ::recv(socket.native_handle(), &first, 1, MSG_PEEK | MSG_DONTWAIT);
        if (n == 1) co_return first;
        if (n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)) co_return std::nullopt;
        const auto [error] = co_await socket.async_wait(net::Descriptor::wait_read, net::use_result);
        if (error) co_return std::nullopt;
    }
}

}  // namespace

TunnelPort::TunnelPort(net::WorkerPool& workers, Log log, Hooks hooks, Admission::Limits limits,
                       std::shared_ptr<const tls::ServerContext> context)
    : workers_(workers), shared_(std::make_shared<Shared>(std::move(log), std::move(hooks), limits)) {
    shared_->set_context(std::move(context));
}

std::shared_ptr<const tls::ServerContext> TunnelPort::Shared::context() {
    const std::lock_guard lock(mutex_);
    return context_;
}

void TunnelPort::Shared::set_context(std::shared_ptr<const tls::ServerContext> next) {
    const std::lock_guard lock(mutex_);
    context_ = std::move(next);
}

Status TunnelPort::listen(const std::vector<HostPort>& addresses, net::Liveness liveness) {
    std::vector<net::ListenSockets> opened;
    for (const auto& address : addresses) {
        auto endpoint = net::to_endpoint(address);
        if (!endpoint) return pass(std::move(endpoint.error()));
        auto sockets = net::open_listeners(*endpoint, workers_.size());
        if (!sockets) return pass(std::move(sockets.error()));
        opened.push_back(std::move(*sockets));
    }
    listeners_ = std::move(opened);
    set_liveness(liveness);
    for (const auto& sockets : listeners_) {
        for (std::size_t i = 0; i < sockets.size(); ++i) {
            auto& worker = workers_.at(i);
            auto on_accept = [shared = shared_, &worker](net::Accepted accepted) {
                if (take_at_once(*shared, worker, accepted)) return;
                auto place = shared->admission->enter(net::to_ip(accepted.peer.address()));
                if (!place) {
                    shared->counters.turned_away += 1;
                    return;
                }
                worker.tasks().spawn(serve(shared, worker, std::move(accepted), std::move(place)));
            };
            asio::post(worker.executor(), [&worker, socket = sockets[i], log = shared_->log, on_accept] {
                worker.tasks().spawn(net::accept_loop(socket, net::Accepts::peers, log, on_accept));
            });
        }
    }
    return {};
}

std::vector<net::tcp::endpoint> TunnelPort::addresses() const {
    std::vector<net::tcp::endpoint> out;
    for (const auto& sockets : listeners_) out.push_back(net::bound_address(sockets));
    return out;
}

bool TunnelPort::owns_port(Port port) const {
    for (const auto& address : addresses()) {
        if (address.port() == port) return true;
    }
    return false;
}

void TunnelPort::close() {
    for (const auto& sockets : listeners_) {
        for (const auto& socket : sockets) socket->close_now();
    }
    listeners_.clear();
}

void TunnelPort::set_liveness(net::Liveness liveness) {
    for (const auto& sockets : listeners_) {
        for (const auto& socket : sockets) {
            net::prepare_for_relay(socket->fd(), liveness);
            net::defer_accept(socket->fd());
        }
    }
}

void TunnelPort::set_context(std::shared_ptr<const tls::ServerContext> context) {
    shared_->set_context(std::move(context));
}

bool TunnelPort::take_at_once(Shared& shared, net::Worker& worker, net::Accepted& accepted) {
    wire::PrefaceBytes preface{};
    const int fd = accepted.fd.get();
    const auto size = static_cast<ssize_t>(preface.size());
    if (::recv(fd, preface.data(), preface.size(), MSG_PEEK | MSG_DONTWAIT) != size) return false;
    if (preface[0] != wire::preface_first_byte) return false;
    (void)::recv(fd, preface.data(), preface.size(), MSG_DONTWAIT);
    shared.hooks.on_data_connection(worker, std::move(accepted.fd), preface, accepted.peer);
    return true;
}

net::awaitable<void> TunnelPort::serve(std::shared_ptr<Shared> shared, net::Worker& worker,
                                       net::Accepted accepted, Admission::Place place) {
    net::Descriptor socket(worker.executor(), accepted.fd.release());
    wire::PrefaceBytes preface{};
    {
        const net::Deadline deadline(worker.executor(), stranger_limit, [&socket] { socket.cancel(); });
        const auto first = co_await peek_first_byte(socket);
        if (!first) co_return;
        if (*first == wire::tls_first_byte) {
            co_await serve_control(shared, socket, accepted.peer, std::move(place));
            co_return;
        }
        Status read = fail(Errc::protocol, "no preface");
        if (*first == wire::preface_first_byte) read = co_await net::read_exactly(socket, preface);
        if (!read) {
            shared->counters.garbage_connections += 1;
            shared->log.debug("garbage on the tunnel port", {{"address", net::to_text(accepted.peer)}});
            co_return;
        }
    }
    place.leave();
    shared->hooks.on_data_connection(worker, net::UniqueFd(socket.release()), preface, accepted.peer);
}

net::awaitable<void> TunnelPort::serve_control(std::shared_ptr<Shared> shared, net::Descriptor& socket,
                                               net::tcp::endpoint peer, Admission::Place place) {
    // Its last words are to arrive.
    net::set_reset_on_close(socket.native_handle(), false);
    auto session = tls::Session::server(shared->context());
    auto ok = co_await net::tls_handshake(socket, session);
    if (!ok) {
        shared->log.info("control connection failed",
                         {{"address", net::to_text(peer)}, {"reason", ok.error().message}});
        co_return;
    }
    shared->hooks.on_control(
        {net::UniqueFd(socket.release()), std::move(session), std::move(peer), std::move(place)});
}

}  // namespace tunnel::server
