// The visitors' half of the session table: who waits for a data connection, and what is asked of clients for
// their sake.

#include <algorithm>
#include <utility>

#include "common/net/socket.hpp"
#include "tunnel-server/sessions/session_table.hpp"

namespace tunnel::server {

namespace {

// From the moment the client was asked for a data connection until it has to be here.
constexpr Seconds dial_patience{10};
// How often the client is asked for one visitor while it says that it has failed.
constexpr int max_dials = 3;
// Nothing is dialled ahead of need for this long after a dial has failed.
constexpr Seconds pause_after_failure{2};

}  // namespace

void SessionTable::on_notice(const PoolNotice& notice) {
    const auto found = seats_.find(notice.seat);
    if (found == seats_.end()) return;
    auto& seat = found->second;
    // What was left of an earlier session has been dropped.
    if (seat.session == nullptr || seat.session->id() != notice.session) return;
    const auto now = Clock::now();
    switch (notice.kind) {
        case PoolNotice::Kind::arrived:
            seat.pool.note_arrived(notice.worker, notice.count, now);
            break;
        case PoolNotice::Kind::again:
            seat.pool.note_again(notice.worker, notice.count);
            break;
        case PoolNotice::Kind::taken:
            seat.pool.note_gone(notice.worker, notice.count);
            seat.pool.note_visitors(notice.count, now);
            break;
        case PoolNotice::Kind::lost:
            seat.pool.note_gone(notice.worker, notice.count);
            break;
        case PoolNotice::Kind::missed:
            seat.pool.note_missed(notice.worker, notice.count);
            break;
    }
    flush_soon(notice.seat);
}

void SessionTable::on_waiting(WaitingVisitor visitor) {
    const auto& route = *visitor.route;
    Waiting waiting{std::move(visitor), std::nullopt, 0};
    const bool new_here = !std::exchange(waiting.visitor.was_waiting, true) && waiting.visitor.moves == 0;
    const auto found = mappings_.get(route.mapping) != nullptr ? seats_.find(route.seat) : seats_.end();
    if (found == seats_.end()) return refuse(std::move(waiting), "the client is not connected");
    auto& seat = found->second;
    if (seat.session == nullptr && move_to_member_that_is_up(waiting.visitor))
        return on_waiting(std::move(waiting.visitor));
    if (!new_here) {
        seat.waiting.push_front(std::move(waiting));
    } else {
        if (seat.waiting.size() >= settings_.waiting_visitors)
            return refuse(
                std::move(waiting),
                fmt::format("{} visitors are waiting already: limits.waiting_visitors", seat.waiting.size()));
        seat.pool.note_visitors(1, Clock::now());
        seat.waiting.push_back(std::move(waiting));
    }
    note_waiting(seat);
    // What a worker has not told yet may be what this visitor waits for.
    if (seat.pool.asked() > 0) pairings_.hurry();
    flush_soon(found->first);
}

void SessionTable::note_waiting(Seat& seat) {
    if (seat.session != nullptr && seat.session->logged_in())
        seat.session->tickets()->waiting = seat.waiting.size();
}

void SessionTable::pair_waiting(Seat& seat) {
    while (!seat.waiting.empty()) {
        const auto worker = seat.pool.worker_with_ready();
        if (!worker) break;
        auto first = std::move(seat.waiting.front());
        seat.waiting.pop_front();
        if (mappings_.get(first.visitor.route->mapping) == nullptr) {
            refuse(std::move(first), "the mapping was removed");
            continue;
        }
        seat.pool.note_gone(*worker);
        pairings_.serve(*worker, std::move(first.visitor), seat.session->id());
    }
    note_waiting(seat);
}

void SessionTable::dial(Seat& seat) {
    const auto now = Clock::now();
    const auto need = seat.pool.need(seat.waiting.size(), seat.has_mappings ? ready_room_ : 0, now);
    const auto count = need.for_waiting + need.ahead;
    if (count > 0) {
        ready_room_ -= need.ahead;
        seat.session->dial(count);
        seat.pool.note_asked(count, now);
    }
    for (auto& waiting : seat.waiting) {
        if (!waiting.deadline) waiting.deadline = now + dial_patience;
    }
}

void SessionTable::on_dial_failed(Session& session, const wire::DialFailed& failed) {
    // A ticket that was used has been counted when it came.
    if (!session.tickets()->cancel(failed.ticket)) return;
    const auto found = seats_.find(session.seat());
    if (found == seats_.end() || found->second.session != &session) return;
    auto& seat = found->second;
    seat.pool.note_failed(1);
    seat.pool.hold_off(Clock::now() + pause_after_failure);
    flush_soon(found->first);
    if (seat.waiting.empty()) return;
    // With one data connection too few each visitor would wait for that of the next, for ever.
    const auto unlucky =
        std::min_element(seat.waiting.begin(), seat.waiting.end(),
                         [](const auto& a, const auto& b) { return a.dials_failed < b.dials_failed; });
    if (++unlucky->dials_failed < max_dials) return;
    auto given_up = std::move(*unlucky);
    seat.waiting.erase(unlucky);
    note_waiting(seat);
    refuse(std::move(given_up),
           fmt::format("the client could not open a data connection: {}", failed.reason));
}

void SessionTable::move_elsewhere(Seat& seat) {
    for (auto& waiting : std::exchange(seat.waiting, {})) {
        if (move_to_member_that_is_up(waiting.visitor))
            on_waiting(std::move(waiting.visitor));
        else
            seat.waiting.push_back(std::move(waiting));
    }
}

void SessionTable::refuse(Waiting waiting, const std::string& reason) {
    const auto left = waiting.visitor.route;
    if (!shutting_down_ && next_member(waiting.visitor, Failed::client, reason)) {
        mappings_.note_error(left->mapping, reason);
        log_.info("visitor moved", {{"mapping", left->mapping.name},
                                    {"client", left->mapping.client},
                                    {"visitor", to_text(waiting.visitor.visitor)},
                                    {"service", left->service},
                                    {"reason", reason}});
        return on_waiting(std::move(waiting.visitor));
    }
    const auto& route = *left;
    log_.warn("visitor refused", {{"mapping", route.mapping.name},
                                  {"client", route.mapping.client},
                                  {"visitor", to_text(waiting.visitor.visitor)},
                                  {"reason", reason}});
    mappings_.note_error(route.mapping, reason);
    route.counters->refused_total += 1;
    refuse_visitor(std::move(waiting.visitor.visitor));
}

// Visitors who went away with a reset. One who only said that it sends no more may still want an answer.
void SessionTable::drop_broken(Seat& seat) {
    std::erase_if(seat.waiting, [this](const Waiting& waiting) {
        const auto& route = waiting.visitor.route;
        const auto& visitor = waiting.visitor.visitor;
        if (!net::is_broken(visitor.fd.get())) return false;
        log_.info("visitor left", {{"mapping", route->mapping.name},
                                   {"client", route->mapping.client},
                                   {"visitor", to_text(visitor)},
                                   {"reason", "it did not wait for a data connection"}});
        return true;
    });
}

void SessionTable::sweep(const SeatKey& key, Seat& seat, TimePoint now) {
    drop_broken(seat);
    // Another member may have come up since they began to wait.
    if (seat.session == nullptr) move_elsewhere(seat);
    const auto late = [now](const Waiting& waiting) { return waiting.deadline && *waiting.deadline <= now; };
    for (auto at = std::find_if(seat.waiting.begin(), seat.waiting.end(), late); at != seat.waiting.end();
         at = std::find_if(seat.waiting.begin(), seat.waiting.end(), late)) {
        auto given_up = std::move(*at);
        seat.waiting.erase(at);
        refuse(std::move(given_up),
               "no data connection came from the client in time: can it reach the tunnel port?");
    }
    note_waiting(seat);
    if (seat.session == nullptr || !seat.session->logged_in()) return;
    seat.pool.note_failed(seat.session->tickets()->drop_expired(now));
    if (const auto surplus = seat.pool.surplus(now); surplus.count > 0)
        pairings_.trim(surplus.worker, key, surplus.count);
    if (!clients_.may_stay(key.client, std::chrono::system_clock::now()))
        seat.session->close(
            wire::Goodbye::Code::revoked,
            fmt::format("this client has expired: ask the server's admin for more time (tunnelctl "
                        "client set {} --expires 30d)",
                        key.client));
    flush_soon(key);
}

}  // namespace tunnel::server
