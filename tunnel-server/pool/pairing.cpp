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
      stream_hooks_{hooks_.on_failure, hooks_.on_waiting},
      pool_(worker.context(), worker.events(),
            [this](const SeatKey& seat, SessionId session, std::size_t count) {
                notice(PoolNotice::Kind::lost, seat, session, Urgency::now, count);
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

void Pairing::data_connection(net::UniqueFd fd, const wire::PrefaceBytes& bytes,
                              const net::tcp::endpoint& peer) {
    const auto refuse = [&](std::string_view reason) {
        counters_.refused_tickets += 1;
        worker_.log().warn("data connection refused", {{"address", net::to_text(peer)}, {"reason", reason}});
    };
    const auto preface = wire::decode_preface(bytes);
    if (!preface) return refuse(preface.error().message);
    const auto tickets = tickets_.find(preface->session);
    if (!tickets) return refuse("its session is not connected");
    auto key = tickets->redeem(*preface, bytes, Clock::now());
    if (!key) return refuse(key.error().message);
    if (closed_) return;
    const auto& seat = tickets->seat();
    notice(PoolNotice::Kind::arrived, seat, preface->session,
           tickets->waiting > 0 ? Urgency::now : Urgency::soon);
    if (!pool_.add(seat, {std::move(fd), std::move(*key), *preface, tickets->cipher()}))
        notice(PoolNotice::Kind::lost, seat, preface->session, Urgency::now);
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
}

}  // namespace tunnel::server
