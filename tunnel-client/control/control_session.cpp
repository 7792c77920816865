#include "tunnel-client/control/control_session.hpp"

#include <algorithm>

#include "common/core/version.hpp"
#include "common/net/deadline.hpp"
#include "common/net/socket.hpp"
#include "common/tls/login_proof.hpp"
#include "tunnel-client/ways/passage.hpp"

namespace tunnel::client {

namespace {

constexpr Seconds connect_limit{10};
constexpr Seconds login_limit{15};

}  // namespace

Result<std::shared_ptr<const ServerAccess>> make_access(const ClientConfig& config,
                                                        const config::JoinLink& link) {
    auto ways = make_ways(config, link, environment_of_process);
    if (!ways) return pass(std::move(ways.error()));
    return std::make_shared<const ServerAccess>(ServerAccess{link.copy(), std::move(*ways)});
}

ControlSession::ControlSession(net::TaskGroup& bridges, std::shared_ptr<const ServerAccess> access,
                               std::shared_ptr<const Way> way, LoginOptions login, wire::HeartbeatTimes times,
                               Handlers handlers)
    : executor_(bridges.executor()),
      bridges_(bridges),
      access_(std::move(access)),
      way_(std::move(way)),
      login_(std::move(login)),
      times_(times),
      handlers_(std::move(handlers)) {}

net::awaitable<ControlEnd> ControlSession::run(net::Resolver& resolver) {
    auto fd = co_await connect(resolver);
    if (!fd) co_return ControlEnd{fd.error(), std::nullopt, false, reached_};
    auto opened = co_await open_channel(std::move(*fd));
    if (opened) opened = log_in();
    if (!opened) co_return ControlEnd{opened.error(), std::nullopt, false, reached_};
    auto login_deadline = std::make_optional<net::Deadline>(executor_, login_limit, [this] {
        if (!logged_in_) channel_->abort({Errc::timeout, "the server did not answer the login in time", 0});
    });
    auto pending = channel_->run([this](const wire::ControlMessage& message) { on_message(message); });
    auto reason = co_await std::move(pending);
    login_deadline.reset();
    closed_ = true;
    co_return ControlEnd{std::move(reason), goodbye_, logged_in_, reached_};
}

tl::unexpected<Error> ControlSession::no_proxy(const Error& error) const {
    return fail(error.code,
                "cannot reach {} ({}): is it running? It is named by `proxy` in client.toml or by the "
                "environment",
                to_string(way_->proxy), error.message);
}

net::awaitable<Result<net::UniqueFd>> ControlSession::connect(net::Resolver& resolver) {
    const auto& hop = way_->first_hop();
    auto addresses = co_await resolver.resolve(hop, connect_limit);
    const bool through_proxy = way_->proxy.kind != Proxy::Kind::none;
    if (!addresses && through_proxy) co_return no_proxy(addresses.error());
    if (!addresses) co_return pass(addresses.error());
    auto fd = co_await net::dial(std::move(*addresses), connect_limit);
    if (!fd && through_proxy) co_return no_proxy(fd.error());
    if (!fd)
        co_return fail(fd.error().code,
                       "cannot reach the server {} ({}): is it running, and is its tunnel port open?",
                       to_string(hop), fd.error().message);
    reached_ = true;
    first_hop_ = net::peer_of(fd->get());
    const net::Liveness liveness{times_.interval, times_.timeout};
    auto through = co_await go(way_, std::move(*fd), bridges_, liveness);
    if (!through) co_return pass(through.error());
    net::set_no_delay(through->get());
    net::set_user_timeout(through->get(), times_.timeout);
    co_return std::move(*through);
}

net::awaitable<Status> ControlSession::open_channel(net::UniqueFd fd) {
    auto session = tls::Session::client(way_->control);
    net::Descriptor socket(executor_, fd.release());
    {
        const net::Deadline deadline(executor_, login_limit, [&socket] { socket.cancel(); });
        auto ok = co_await net::tls_handshake(socket, session);
        if (!ok) {
            if (deadline.expired())
                co_return fail(Errc::timeout,
                               "{} does not answer as a tunnel-server does: is this the right port?",
                               to_string(way_->server));
            co_return ok;
        }
    }
    channel_.emplace(executor_, net::UniqueFd(socket.release()), std::move(session), wire::End::client,
                     times_);
    co_return Status();
}

Status ControlSession::log_in() {
    if (closed_) return fail(Errc::closed, "closed");
    const auto binding = channel_->export_key(tls::login_exporter_label, tls::login_binding_size);
    if (!binding) return pass(binding.error());
    const auto data_key = channel_->export_key(tls::data_exporter_label, tls::session_data_key_size);
    if (!data_key) return pass(data_key.error());
    chain_.emplace(*data_key);
    const auto proof = tls::make_proof(access_->link.secret, access_->link.client, *binding);
    channel_->send(wire::Login{access_->link.client, login_.slot, login_.instance,
                               Bytes(proof.begin(), proof.end()), login_.takeover,
                               fmt::format("tunnel-client {}", version), login_.ciphers, true});
    return {};
}

void ControlSession::on_message(const wire::ControlMessage& message) {
    if (const auto* accepted = std::get_if<wire::LoginAccepted>(&message)) {
        on_accepted(*accepted);
    } else if (const auto* states = std::get_if<wire::MappingStates>(&message)) {
        handlers_.on_states(*states);
    } else if (const auto* dial = std::get_if<wire::Dial>(&message)) {
        take_tickets(*dial);
    } else if (const auto* goodbye = std::get_if<wire::Goodbye>(&message)) {
        goodbye_ = *goodbye;
        channel_->abort({Errc::closed, goodbye->message, 0});
    }
}

void ControlSession::on_accepted(const wire::LoginAccepted& accepted) {
    const auto& offered = login_.ciphers;
    if (std::find(offered.begin(), offered.end(), accepted.cipher) == offered.end()) {
        // Only a server that does not know of the choice takes one that was not offered.
        channel_->close(
            {wire::Goodbye::Code::leaving, "no cipher in common"},
            {Errc::version,
             fmt::format("client.toml says cipher = \"{}\", and this server knows {} only: upgrade "
                         "tunnel-server, or write cipher = \"auto\" in client.toml",
                         to_string(offered.front()), to_string(accepted.cipher)),
             0});
        return;
    }
    logged_in_ = true;
    id_ = accepted.session;
    cipher_ = accepted.cipher;
    handlers_.on_accepted(accepted);
}

void ControlSession::take_tickets(const wire::Dial& dial) {
    for (std::uint32_t i = 0; i < dial.count; ++i) {
        auto ticket = chain_->next();
        if (ticket.number.value != dial.first_ticket.value + i) {
            channel_->abort({Errc::protocol, "the server's tickets and ours are out of step", 0});
            return;
        }
        handlers_.on_ticket(std::move(ticket));
    }
}

void ControlSession::declare(std::vector<wire::MappingSpec> mappings) {
    if (logged_in_ && !closed_) channel_->send(wire::Declare{std::move(mappings)});
}

void ControlSession::object(const std::string& mapping, const std::string& reason) {
    if (logged_in_ && !closed_) channel_->send(wire::MappingObjection{mapping, reason});
}

void ControlSession::report(wire::HealthReport report) {
    if (logged_in_ && !closed_) channel_->send(std::move(report));
}

void ControlSession::dial_failed(TicketNumber ticket, const std::string& reason) {
    if (logged_in_ && !closed_) channel_->send(wire::DialFailed{ticket, reason});
}

void ControlSession::set_times(wire::HeartbeatTimes times) {
    times_ = times;
    if (channel_ && !closed_) channel_->set_times(times);
}

void ControlSession::close(wire::Goodbye::Code code, const std::string& message) {
    if (channel_ && !closed_) channel_->close({code, message});
    if (!logged_in_) closed_ = true;
}

}  // namespace tunnel::client
