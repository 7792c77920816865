#include "tunnel-server/listen/tunnel_port.hpp"

#include <sys/socket.h>

#include <algorithm>

#include "common/net/control_channel.hpp"
#include "common/net/deadline.hpp"
#include "common/net/loopback_pair.hpp"
#include "common/net/socket.hpp"
#include "common/net/stream_io.hpp"
#include "common/net/websocket_bridge.hpp"
#include "common/net/websocket_upgrade.hpp"

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

// All HTTP that is answered with more than a refusal is a GET.
constexpr Byte http_first_byte = 'G';

// The first byte of what comes inside TLS, left in the session; 0 when none comes.
net::awaitable<Byte> peek_inside(net::Descriptor& socket, tls::Session& session) {
    Bytes buffer(4096);
    for (;;) {
        const auto first = session.peek();
        if (!first) co_return 0;
        if (*first) co_return **first;
        const auto n = co_await net::read_some(socket, buffer);
        if (!n) co_return 0;
        session.feed(BytesView(buffer).first(*n));
    }
}

// Whom a web server in front speaks for: the last address it added.
net::tcp::endpoint forwarded_for(const wire::HttpRequest& request, const net::tcp::endpoint& front) {
    std::string_view last;
    for (const auto& field : request.fields.all) {
        if (wire::HttpFields{{field}}.find("X-Forwarded-For")) last = field.value;
    }
    last = last.substr(last.rfind(',') + 1);
    last.remove_prefix(std::min(last.find_first_not_of(' '), last.size()));
    if (!parse_ip(last)) return front;
    const auto endpoint = net::to_endpoint({std::string(last), 0});
    return endpoint.value_or(front);
}

net::awaitable<void> run_bridge(net::OuterStream outer, net::UniqueFd local, net::Liveness liveness, Log log,
                                net::tcp::endpoint peer) {
    net::WebSocketBridge bridge(std::move(outer), std::move(local), wire::End::server, liveness);
    auto ended = co_await bridge.run();
    if (!ended)
        log.debug("websocket connection broke",
                  {{"address", peer_text(peer)}, {"reason", ended.error().message}});
}

}  // namespace

std::string_view to_string(Way way) {
    return way == Way::websocket ? "websocket" : "direct";
}

std::string peer_text(const net::tcp::endpoint& peer) {
    return peer.port() == 0 ? peer.address().to_string() : net::to_text(peer);
}

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

net::Liveness TunnelPort::Shared::liveness() {
    const std::lock_guard lock(mutex_);
    return liveness_;
}

void TunnelPort::Shared::set_liveness(net::Liveness next) {
    const std::lock_guard lock(mutex_);
    liveness_ = next;
}

bool TunnelPort::Shared::trusts(const IpAddress& address) {
    const std::lock_guard lock(mutex_);
    return std::any_of(trusted_.begin(), trusted_.end(),
                       [&](const Network& network) { return network.contains(address); });
}

void TunnelPort::Shared::set_trusted(std::vector<Network> next) {
    const std::lock_guard lock(mutex_);
    trusted_ = std::move(next);
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
                Stranger stranger{net::Descriptor(worker.executor(), accepted.fd.release()), accepted.peer,
                                  std::move(place), Way::direct};
                worker.tasks().spawn(serve(shared, worker, std::move(stranger)));
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

void TunnelPort::set_trusted(std::vector<Network> networks) {
    shared_->set_trusted(std::move(networks));
}

void TunnelPort::set_liveness(net::Liveness liveness) {
    shared_->set_liveness(liveness);
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

void TunnelPort::note_garbage(Shared& shared, const net::tcp::endpoint& peer, std::string_view reason) {
    shared.counters.garbage_connections += 1;
    shared.log.debug("garbage on the tunnel port", {{"address", peer_text(peer)}, {"reason", reason}});
}

net::awaitable<void> TunnelPort::serve(std::shared_ptr<Shared> shared, net::Worker& worker,
                                       Stranger stranger) {
    auto& socket = stranger.socket;
    wire::PrefaceBytes preface{};
    std::optional<Byte> first;
    {
        const net::Deadline deadline(worker.executor(), stranger_limit, [&socket] { socket.cancel(); });
        first = co_await peek_first_byte(socket);
        if (!first) co_return;
        if (*first == wire::preface_first_byte) {
            auto read = co_await net::read_exactly(socket, preface);
            if (!read) co_return note_garbage(*shared, stranger.peer, read.error().message);
        }
    }
    const bool from_front = stranger.way == Way::direct && *first == http_first_byte &&
                            shared->trusts(net::to_ip(stranger.peer.address()));
    if (*first == wire::preface_first_byte) {
        stranger.place.leave();
        shared->hooks.on_data_connection(worker, net::UniqueFd(socket.release()), preface, stranger.peer);
    } else if (*first == wire::tls_first_byte) {
        co_await serve_tls(shared, worker, std::move(stranger));
    } else if (from_front) {
        net::OuterStream outer(std::move(socket), std::nullopt);
        co_await serve_websocket(shared, worker, std::move(outer), stranger.peer, std::move(stranger.place));
    } else {
        note_garbage(*shared, stranger.peer, "neither TLS nor a preface");
    }
}

net::awaitable<void> TunnelPort::serve_tls(std::shared_ptr<Shared> shared, net::Worker& worker,
                                           Stranger stranger) {
    auto& socket = stranger.socket;
    // Its last words are to arrive.
    net::set_reset_on_close(socket.native_handle(), false);
    auto session = tls::Session::server(shared->context());
    Byte first = 0;
    {
        const net::Deadline deadline(worker.executor(), stranger_limit, [&socket] { socket.cancel(); });
        auto ok = co_await net::tls_handshake(socket, session);
        if (!ok) {
            shared->log.info("control connection failed",
                             {{"address", peer_text(stranger.peer)}, {"reason", ok.error().message}});
            co_return;
        }
        if (stranger.way == Way::direct) first = co_await peek_inside(socket, session);
    }
    if (first == http_first_byte) {
        net::OuterStream outer(std::move(socket), std::move(session));
        co_await serve_websocket(shared, worker, std::move(outer), stranger.peer, std::move(stranger.place));
        co_return;
    }
    // Who says nothing, or what makes no sense, is told by the session.
    shared->hooks.on_control({net::UniqueFd(socket.release()), std::move(session), std::move(stranger.peer),
                              std::move(stranger.place), stranger.way});
}

net::awaitable<void> TunnelPort::serve_websocket(std::shared_ptr<Shared> shared, net::Worker& worker,
                                                 net::OuterStream outer, net::tcp::endpoint peer,
                                                 Admission::Place place) {
    // An answer that refuses is to arrive.
    net::set_reset_on_close(outer.fd(), false);
    {
        const net::Deadline deadline(worker.executor(), stranger_limit,
                                     [&outer] { outer.socket().cancel(); });
        const auto request = co_await net::answer_websocket(outer);
        if (!request) co_return note_garbage(*shared, peer, request.error().message);
        if (shared->trusts(net::to_ip(peer.address()))) peer = forwarded_for(*request, peer);
    }
    auto pair = net::make_loopback_pair();
    if (!pair) {
        shared->log.error("websocket connection refused",
                          {{"address", peer_text(peer)}, {"reason", pair.error().message}});
        co_return;
    }
    const auto liveness = shared->liveness();
    net::prepare_for_relay(pair->theirs.get(), liveness);
    Stranger stranger{net::Descriptor(worker.executor(), pair->theirs.release()), peer, std::move(place),
                      Way::websocket};
    worker.bridges().spawn(run_bridge(std::move(outer), std::move(pair->ours), liveness, shared->log, peer));
    co_await serve(shared, worker, std::move(stranger));
}

}  // namespace tunnel::server
