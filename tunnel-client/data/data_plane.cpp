#include "tunnel-client/data/data_plane.hpp"

#include <sys/socket.h>

#include <cerrno>

#include "common/net/deadline.hpp"
#include "common/net/hop.hpp"
#include "common/net/relay/relay.hpp"
#include "common/net/stream_io.hpp"
#include "tunnel-client/data/data_connection.hpp"
#include "tunnel-client/services/service_dialer.hpp"

namespace tunnel::client {

namespace {

using Code = wire::StreamAnswer::Code;

constexpr Seconds refusal_limit{5};
constexpr std::size_t discard_size = 16 * 1024;

// Where the datagrams of a stream go: the system's first choice of the addresses that may be sent to.
net::awaitable<tl::expected<net::udp::endpoint, wire::StreamAnswer>> find_udp_service(
    net::Resolver& resolver, const ServiceRules& rules, const wire::StreamOpen& open) {
    const auto service = rules.service_for(open.mapping, open.service, open.port_offset);
    if (!service || service->is_unix())
        co_return tl::unexpected(
            wire::StreamAnswer{Code::unknown_mapping, service ? "a Unix socket takes no datagrams of ours"
                                                              : service.error().message});
    auto addresses = co_await find_service(resolver, rules, *service, rules.dial_timeout());
    if (!addresses) co_return tl::unexpected(std::move(addresses.error()));
    co_return net::udp::endpoint(addresses->front().address(), addresses->front().port());
}

// The socket of a service that speaks TCP.
void prepare(int fd) {
    net::set_no_delay(fd);
    net::set_reset_on_close(fd, true);
}

// Before the visitor's first byte. A fresh socket's buffer holds it unless the service is gone again.
Status send_proxy_header(const ServiceSocket& service, const wire::StreamOpen& open) {
    const auto header = wire::proxy_header_of(open);
    if (header.empty()) return {};
    const auto sent = ::send(service.fd.get(), header.data(), header.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent == static_cast<ssize_t>(header.size())) return {};
    return fail_errno(sent < 0 ? errno : EPIPE,
                      fmt::format("the service {} closed before it got the PROXY header", open.service));
}

net::awaitable<Dialled> dial_stream(net::Resolver& resolver, const ServiceRules& rules,
                                    const wire::StreamOpen& open) {
    const auto service = rules.service_for(open.mapping, open.service, open.port_offset);
    if (!service)
        co_return tl::unexpected(wire::StreamAnswer{Code::unknown_mapping, service.error().message});
    auto dialled = co_await dial_service(resolver, rules, *service, rules.dial_timeout());
    if (!dialled) co_return std::move(dialled);
    if (auto told = send_proxy_header(*dialled, open); !told)
        co_return tl::unexpected(wire::StreamAnswer{Code::connect_failed, told.error().message});
    co_return std::move(dialled);
}

// The server reads the refusal only if our close does not reset the connection, which it would with the
// visitor's bytes unread; the server ends its side as soon as it has read.
net::awaitable<void> close_after_reading(net::Worker& worker, net::UniqueFd fd) {
    net::shut_down(fd.get(), net::Half::write);
    net::Descriptor socket(worker.executor(), fd.release());
    const net::Deadline deadline(worker.executor(), refusal_limit, [&socket] { socket.cancel(); });
    Bytes discarded(discard_size);
    for (;;) {
        const auto n = co_await net::read_some(socket, discarded);
        if (!n) co_return;
    }
}

void log_closed(const Log& log, ConnectionId connection, const net::RelayLabel& label,
                const net::RelayResult& result) {
    log.info("visitor closed", {{"mapping", label.mapping},
                                {"connection", connection.value},
                                {"visitor", label.visitor},
                                {"bytes_in", result.to_outer},
                                {"bytes_out", result.from_outer},
                                {"duration_ms", result.duration.count()},
                                {"reason", net::to_string(result.end)},
                                {"detail", result.detail}});
}

}  // namespace

DataPlane::DataPlane(net::WorkerPool& workers, Log log, std::string client_name,
                     std::shared_ptr<const ServiceRules> rules)
    : workers_(workers),
      log_(std::move(log)),
      client_name_(std::move(client_name)),
      rules_(std::move(rules)) {
    for (std::size_t i = 0; i < workers_.size(); ++i) {
        auto& worker = workers_.at(i);
        per_worker_.emplace_back(new PerWorker(worker, log_));
    }
}

void DataPlane::set_rules(std::shared_ptr<const ServiceRules> rules) {
    for (const auto& at : per_worker_)
        asio::post(at->worker.executor(), [udp = &at->udp, rules] { udp->check(*rules); });
    const std::lock_guard lock(mutex_);
    rules_ = std::move(rules);
}

net::awaitable<void> DataPlane::close_flows() {
    for (const auto& at : per_worker_) {
        auto pending = net::ask(at->worker.executor(), [udp = &at->udp] { udp->close(); });
        co_await std::move(pending);
    }
}

std::shared_ptr<const ServiceRules> DataPlane::rules() const {
    const std::lock_guard lock(mutex_);
    return rules_;
}

void DataPlane::open(DataJob job) {
    auto& at = *per_worker_[next_++ % per_worker_.size()];
    asio::post(at.worker.executor(), [this, &at, job = std::move(job)]() mutable {
        at.worker.tasks().spawn(serve(at, std::move(job)));
    });
}

net::awaitable<void> DataPlane::serve(PerWorker& at, DataJob job) {
    wire::Preface preface;
    auto socket = co_await open_data_connection(at.worker, job, preface);
    if (!socket) {
        log_.warn("data connection failed", {{"server", net::to_text(job.first_hop)},
                                             {"way", to_string(*job.way)},
                                             {"reason", socket.error().message}});
        job.on_failed(job.ticket.number, socket.error().message);
        co_return;
    }
    Waiting waiting{std::move(job), preface, std::move(*socket)};
    co_await serve_stream(at, std::move(waiting));
}

net::awaitable<void> DataPlane::serve_stream(PerWorker& at, Waiting waiting) {
    const auto& job = waiting.job;
    auto stream = co_await await_stream(at.worker, std::move(waiting.socket), job, waiting.preface);
    if (!stream) {
        log_.debug("data connection closed unused", {{"reason", stream.error().message}});
        if (job.on_failed) job.on_failed(job.ticket.number, stream.error().message);
        co_return;
    }
    if (stream->open.datagrams) {
        co_await serve_datagrams(at, std::move(*stream), job);
        co_return;
    }
    Dialled service = tl::unexpected(wire::StreamAnswer{Code::draining, "the client is shutting down"});
    const auto rules_now = rules();
    if (!draining_) service = co_await dial_stream(at.resolver, *rules_now, stream->open);
    wire::StreamAnswer answer;
    if (!service) answer = service.error();
    const auto answered = seal_answer(*stream, answer);
    if (!service || !answered) {
        log_.warn("visitor refused",
                  {{"mapping", stream->open.mapping},
                   {"visitor", stream->open.visitor},
                   {"reason", service ? answered.error().message : service.error().reason}});
        if (answered) (void)send_at_once(stream->socket->fd(), *answered);
        co_await close_after_reading(at.worker, stream->socket->unwatch());
        co_return;
    }
    if (!service->is_unix) prepare(service->fd.get());
    stream->open.keepalive = rules_now->keepalive(stream->open.mapping, stream->open.keepalive);
    relay(at, std::move(waiting), std::move(*stream), std::move(*service), *answered);
}

void DataPlane::relay(PerWorker& at, Waiting waiting, OpenedStream stream, ServiceSocket service,
                      BytesView answer) {
    const auto& open = stream.open;
    std::optional<net::RecordLayers> records;
    if (open.encrypt) records = std::move(stream.records);
    auto& relays = at.worker.relays();
    const ConnectionId id{++last_connection_};
    const bool hung_up = stream.socket->hung_up();
    const bool more = stream.socket->may_have_more() || hung_up;
    auto& relay = relays.add(
        {id, client_name_, open.mapping, open.visitor, open.encrypt, std::chrono::system_clock::now()},
        std::move(service.fd), stream.socket->release(), std::move(records));
    if (service.is_unix) relay.set_outer_is_unix();
    const auto keepalive = open.keepalive;
    if (!service.is_unix && keepalive > Seconds(0)) relays.keep_alive(id, {keepalive, 2 * keepalive});
    std::shared_ptr<Waiting> next;
    if (open.reuse) {
        next = std::make_shared<Waiting>(std::move(waiting));
        next->job.on_failed = nullptr;
        relay.set_reusable(
            [this, next] { return draining_ ? Bytes() : make_preface(next->job, next->preface); });
    }
    relays.run(id, nullptr,
               [this, &at, next, connection = open.connection](const net::RelayLabel& label,
                                                               net::RelayResult result) {
                   log_closed(log_, connection, label, result);
                   if (result.data) serve_again(at, std::move(*next), std::move(result));
               },
               {.opening = answer,
                .opening_may_wait = true,
                .data_is_watched = true,
                .data_hung_up = hung_up,
                .begun = stream.begun,
                .data_may_have_more = more});
    if (!next) return;
    // The visitor's first bytes have not waited for this, and nobody has asked for the next preface yet: the
    // service's end is read in a later turn.
    auto& ticket = next->job.ticket;
    ticket.key = tls::next_ticket_key(ticket.key, ticket.number);
}

void DataPlane::serve_again(PerWorker& at, Waiting next, net::RelayResult result) {
    // The server says nothing before it has the preface, which is not sent while draining.
    if (draining_ || !result.after_stream.empty()) {
        net::set_reset_on_close(result.data->fd(), false);
        return;
    }
    next.socket = std::make_unique<net::WatchedSocket>(
        at.worker.context(), std::move(*result.data),
        net::WatchedSocket::Told{result.may_have_more || result.hung_up, result.hung_up});
    at.worker.tasks().spawn(serve_stream(at, std::move(next)));
}

net::awaitable<void> DataPlane::serve_datagrams(PerWorker& at, OpenedStream stream, const DataJob& job) {
    tl::expected<net::udp::endpoint, wire::StreamAnswer> service =
        tl::unexpected(wire::StreamAnswer{Code::draining, "the client is shutting down"});
    const auto rules_now = rules();
    if (!draining_) service = co_await find_udp_service(at.resolver, *rules_now, stream.open);
    wire::StreamAnswer answer;
    if (!service) answer = service.error();
    const auto answered = seal_answer(stream, answer);
    const bool sent = answered && send_at_once(stream.socket->fd(), *answered);
    if (!service || !sent) {
        log_.warn("datagrams refused",
                  {{"mapping", stream.open.mapping},
                   {"reason", service ? "the data connection broke" : service.error().reason}});
        co_await close_after_reading(at.worker, stream.socket->unwatch());
        co_return;
    }
    // All flows of a group are served by one worker.
    auto& keeper = *per_worker_[stream.open.datagrams->group % per_worker_.size()];
    DatagramGrant grant{stream.socket->unwatch(),
                        std::move(stream.begun),
                        std::move(stream.open),
                        std::move(*stream.carrier_keys),
                        *service,
                        std::nullopt,
                        to_string(*job.way)};
    if (job.way->is_plain()) grant.server.emplace(job.first_hop.address(), job.first_hop.port());
    asio::post(keeper.worker.executor(),
               [udp = &keeper.udp, grant = std::move(grant)]() mutable { udp->adopt(std::move(grant)); });
}

}  // namespace tunnel::client
