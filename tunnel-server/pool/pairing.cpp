#include "tunnel-server/pool/pairing.hpp"

#include <algorithm>
#include <utility>

#include "common/net/socket.hpp"

namespace tunnel::server {

namespace {

// For what nobody waits for.
constexpr Millis soon{20};

}  // namespace

Pairing::Pairing(net::Worker& worker, const TicketRegistry& tickets, PairingCounters& counters, Hooks hooks)
    : worker_(worker),
      tickets_(tickets),
      counters_(counters),
      hooks_(std::move(hooks)),
      stream_hooks_{hooks_.on_failure, hooks_.on_waiting,
                    [this](Returned connection) { returned(std::move(connection)); }},
      pool_(worker.events(),
            [this](const SeatKey& seat, SessionId session, std::size_t count) {
                notice(PoolNotice::Kind::lost, seat, session, Urgency::now, count);
            }),
      returned_(worker.context(),
                [this](Returned connection, const wire::PrefaceBytes& preface) {
                    again(std::move(connection), preface);
                }),
      tell_soon_(worker.context()) {}

void Pairing::notice(PoolNotice::Kind kind, const SeatKey& seat, SessionId session, Urgency urgency,
                     std::size_t count) {
    const auto same = std::find_if(untold_.begin(), untold_.end(), [&](const PoolNotice& one) {
        return one.kind == kind && one.session == session;
    });
    if (same != untold_.end())
        same->count += count;
    else
        untold_.push_back({kind, seat, session, worker_.index(), count});
    if (urgency == Urgency::now) {
        // At the end of this turn: what else it brings goes along.
        if (!std::exchange(telling_now_, true)) asio::post(worker_.context(), [this] { tell(); });
    } else if (!std::exchange(telling_soon_, true)) {
        tell_soon_.expires_after(soon);
        tell_soon_.async_wait([this](const std::error_code& error) {
            telling_soon_ = false;
            if (!error) tell();
        });
    }
}

void Pairing::tell() {
    telling_now_ = false;
    if (!untold_.empty()) hooks_.on_notices(std::exchange(untold_, {}));
}

bool Pairing::runs_low(const SeatKey& seat, SessionId session) const {
    std::size_t taken = 0;
    for (const auto& notice : untold_) {
        if (notice.kind == PoolNotice::Kind::taken && notice.session == session) taken += notice.count;
    }
    return pool_.size(seat) <= taken;
}

void Pairing::visitor(std::shared_ptr<const Route> route, Visitor admitted) {
    counters_.visitors_total += 1;
    route->counters->visitors_total += 1;
    pair({std::move(route), std::move(admitted)});
}

void Pairing::carrier(std::shared_ptr<const Route> route, std::shared_ptr<CarrierRequest> request) {
    WaitingVisitor visitor{std::move(route), {}};
    visitor.carrier = std::move(request);
    pair(std::move(visitor));
}

void Pairing::pair(WaitingVisitor visitor) {
    const auto& seat = visitor.route->seat;
    const auto tickets = pool_.size(seat) > 0 ? tickets_.find(pool_.session(seat)) : nullptr;
    if (!tickets || tickets->waiting > 0) return hooks_.on_waiting(std::move(visitor));
    auto connection = pool_.take(seat, longest_silence());
    if (!connection) return hooks_.on_waiting(std::move(visitor));
    const auto session = connection->preface.session;
    notice(PoolNotice::Kind::taken, seat, session, runs_low(seat, session) ? Urgency::now : Urgency::soon);
    open_stream(std::move(visitor), std::move(*connection));
}

void Pairing::refuse(const net::tcp::endpoint& peer, std::string_view reason) {
    counters_.refused_tickets += 1;
    worker_.log().warn("data connection refused", {{"address", net::to_text(peer)}, {"reason", reason}});
}

void Pairing::data_connection(net::UniqueFd fd, const wire::PrefaceBytes& bytes,
                              const net::tcp::endpoint& peer) {
    const auto preface = wire::decode_preface(bytes);
    if (!preface) return refuse(peer, preface.error().message);
    const auto tickets = tickets_.find(preface->session);
    if (!tickets) return refuse(peer, "its session is not connected");
    auto key = tickets->redeem(*preface, bytes, Clock::now());
    if (!key) return refuse(peer, key.error().message);
    auto socket = net::ParkedSocket::add(worker_.events(), std::move(fd));
    if (socket)
        return keep(std::move(*socket), std::move(*key), *preface, *tickets, PoolNotice::Kind::arrived);
    notice(PoolNotice::Kind::arrived, tickets->seat(), preface->session, Urgency::soon);
    notice(PoolNotice::Kind::lost, tickets->seat(), preface->session, Urgency::now);
}

void Pairing::again(Returned connection, const wire::PrefaceBytes& bytes) {
    const auto preface = wire::decode_preface(bytes);
    const bool same = preface && preface->session == connection.session &&
                      preface->ticket == connection.ticket && TicketBook::is_signed(connection.key, bytes);
    if (!same)
        return refuse(net::peer_of(connection.socket.fd()), "it went on with what is no preface of its own");
    // Nothing is wrong with one whose session has ended meanwhile.
    if (const auto tickets = tickets_.find(preface->session))
        keep(std::move(connection.socket), std::move(connection.key), *preface, *tickets,
             PoolNotice::Kind::again);
}

void Pairing::keep(net::ParkedSocket socket, Secret key, const wire::Preface& preface,
                   const SessionTickets& tickets, PoolNotice::Kind kind) {
    const auto& seat = tickets.seat();
    const std::size_t most = tickets.most_ready;
    const bool again = kind == PoolNotice::Kind::again;
    if (closed_ || (again && pool_.size(seat) >= most)) {
        net::set_reset_on_close(socket.fd(), false);
        return;
    }
    (again ? counters_.reused : counters_.dialled) += 1;
    notice(kind, seat, preface.session, tickets.waiting > 0 ? Urgency::now : Urgency::soon);
    const bool reuse = tickets.client_reuses() && most > 0;
    pool_.add(seat, {socket.release(), std::move(key), preface, tickets.cipher(), reuse});
}

void Pairing::returned(Returned connection) {
    if (closed_) return net::set_reset_on_close(connection.socket.fd(), false);
    returned_.add(std::move(connection));
}

void Pairing::serve(WaitingVisitor visitor, SessionId session) {
    const auto& seat = visitor.route->seat;
    auto connection = pool_.take(seat, longest_silence());
    if (!connection) {
        notice(PoolNotice::Kind::missed, seat, session, Urgency::now);
        return hooks_.on_waiting(std::move(visitor));
    }
    open_stream(std::move(visitor), std::move(*connection));
}

void Pairing::trim(const SeatKey& seat, std::size_t count) {
    if (pool_.size(seat) == 0) return;
    const auto session = pool_.session(seat);
    notice(PoolNotice::Kind::lost, seat, session, Urgency::now, pool_.trim(seat, count));
}

void Pairing::open_stream(WaitingVisitor visitor, ReadyConnection connection) {
    if (visitor.carrier) {
        worker_.events().remove(connection.fd.get());
        return visitor.carrier->take(std::move(connection));
    }
    visitor.route->came();
    serve_visitor(worker_,
                  {std::move(visitor), ConnectionId{++counters_.last_connection}, std::move(connection)},
                  stream_hooks_);
}

void Pairing::close() {
    closed_ = true;
    tell_soon_.cancel();
    pool_.clear();
    returned_.clear();
}

}  // namespace tunnel::server
