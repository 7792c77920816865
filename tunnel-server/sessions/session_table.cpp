#include "tunnel-server/sessions/session_table.hpp"

#include <algorithm>

#include "common/core/names.hpp"
#include "common/net/deadline.hpp"

namespace tunnel::server {

namespace {

// From the moment the client was asked for a data connection until it has to be here.
constexpr Seconds dial_patience{10};
// How often the client is asked for one visitor while it says that it has failed.
constexpr int max_dials = 3;
constexpr std::size_t max_seats_per_client = 64;
constexpr Millis goodbye_limit{1500};

using Code = wire::Goodbye::Code;

}  // namespace

SessionTable::SessionTable(const asio::any_io_executor& executor, Log log, ClientBook& clients,
                           MappingTable& mappings, SessionSettings settings)
    : executor_(executor),
      log_(std::move(log)),
      clients_(clients),
      mappings_(mappings),
      settings_(std::move(settings)),
      tasks_(executor, [this](const std::exception& bug) {
          log_.error("bug in a session", {{"what", bug.what()}});
      }) {}

void SessionTable::adopt(NewControl control) {
    if (!shutting_down_) tasks_.spawn(serve(std::move(control)));
}

net::awaitable<void> SessionTable::serve(NewControl control) {
    net::set_user_timeout(control.fd.get(), settings_.heartbeat.timeout);
    Session session(executor_, *this, std::move(control), settings_.heartbeat, settings_.public_host);
    const auto reason = co_await session.run();
    ended(session, reason);
}

wire::Goodbye SessionTable::refuse_login(const Session& session, const Error& error,
                                         const std::string& reason_for_log) {
    ++counters_.refused_logins;
    log_.warn(
        "login refused",
        {{"client", session.seat().client}, {"address", session.address()}, {"reason", reason_for_log}});
    return {Code::refused, error.message};
}

std::optional<wire::Goodbye> SessionTable::on_login(Session& session, const wire::Login& login,
                                                    const Secret& binding) {
    std::string reason;
    if (auto ok = clients_.check_login(login.client, login.proof, binding, std::chrono::system_clock::now(),
                                       reason);
        !ok)
        return refuse_login(session, ok.error(), reason);
    if (!login.slot.empty()) {
        if (auto ok = check_name("slot", login.slot); !ok)
            return refuse_login(session, ok.error(), "bad slot name");
    }
    const auto found = seats_.find(session.seat());
    if (found == seats_.end()) {
        std::size_t seats = 0;
        for (const auto& [key, seat] : seats_) seats += key.client == login.client ? 1 : 0;
        if (seats >= max_seats_per_client)
            return wire::Goodbye{
                Code::overloaded,
                fmt::format("the client \"{}\" has {} sessions already: end one first", login.client, seats)};
    }
    auto& seat = found == seats_.end() ? seats_[session.seat()] : found->second;
    if (seat.session != nullptr) {
        const bool same = seat.session->instance() == session.instance();
        if (!same && !login.takeover)
            return wire::Goodbye{Code::occupied, fmt::format("\"{}\" is connected from {}", login.client,
                                                             seat.session->address())};
        Session& old = *seat.session;
        leave_seat(old);
        log_.info("session taken over",
                  {{"client", login.client}, {"from", old.address()}, {"by", session.address()}});
        old.close(Code::replaced, fmt::format("another tunnel-client logged in as \"{}\" from {}",
                                              login.client, session.address()));
    }
    seat.session = &session;
    seat.declared = false;
    by_id_[session.id()] = &session;
    clients_.note_seen(login.client, std::chrono::system_clock::now());
    log_.info("session opened", {{"client", login.client},
                                 {"slot", login.slot},
                                 {"address", session.address()},
                                 {"software", login.software}});
    return std::nullopt;
}

void SessionTable::on_declare(Session& session, const wire::Declare& declare) {
    const auto found = seats_.find(session.seat());
    if (found == seats_.end() || found->second.session != &session) return;
    auto& seat = found->second;
    if (!seat.declared) {
        seat.declared = true;
        mappings_.set_presence(session.seat(), Presence::connected);
    }
    mappings_.declare(session.seat(), declare.mappings);
    // Those who came while the client was away.
    const auto asked = seat.dials_wanted;
    if (seat.waiting.size() > asked) want_dials(session.seat(), seat, seat.waiting.size() - asked);
}

void SessionTable::on_objection(Session& session, const wire::MappingObjection& objection) {
    mappings_.object({session.seat().client, objection.mapping}, objection.reason);
}

void SessionTable::on_dial_failed(Session& session, const wire::DialFailed& failed) {
    // A ticket that was used has had its visitor, or found nobody waiting.
    if (!session.tickets().cancel(failed.ticket)) return;
    const auto found = seats_.find(session.seat());
    if (found == seats_.end() || found->second.session != &session || found->second.waiting.empty()) return;
    auto& waiting = found->second.waiting;
    // With one data connection too few each visitor would wait for that of the next, for ever.
    const auto unlucky = std::min_element(waiting.begin(), waiting.end(), [](const auto& a, const auto& b) {
        return a.dials_failed < b.dials_failed;
    });
    if (++unlucky->dials_failed < max_dials) return want_dials(found->first, found->second, 1);
    auto given_up = std::move(*unlucky);
    waiting.erase(unlucky);
    refuse(std::move(given_up),
           fmt::format("the client could not open a data connection: {}", failed.reason));
}

void SessionTable::visitor(const MappingKey& key, net::Accepted accepted) {
    Waiting waiting{key, {std::move(accepted.fd), accepted.peer}, std::nullopt, 0};
    ++counters_.visitors_total;
    const auto* mapping = mappings_.get(key);
    const auto found = mapping != nullptr ? seats_.find({key.client, mapping->slot}) : seats_.end();
    if (found == seats_.end()) return refuse(std::move(waiting), "the client is not connected");
    mapping->counters->visitors_total += 1;
    auto& seat = found->second;
    if (seat.waiting.size() >= settings_.waiting_visitors)
        return refuse(
            std::move(waiting),
            fmt::format("{} visitors are waiting already: limits.waiting_visitors", seat.waiting.size()));
    seat.waiting.push_back(std::move(waiting));
    if (seat.session != nullptr && seat.declared) want_dials(found->first, seat, 1);
}

void SessionTable::refuse(Waiting waiting, const std::string& reason) {
    log_.warn("visitor refused", {{"mapping", waiting.mapping.name},
                                  {"client", waiting.mapping.client},
                                  {"visitor", net::to_text(waiting.visitor.peer)},
                                  {"reason", reason}});
    mappings_.note_error(waiting.mapping, reason);
    if (const auto* mapping = mappings_.get(waiting.mapping)) mapping->counters->refused_total += 1;
    refuse_visitor(std::move(waiting.visitor));
}

std::optional<Assignment> SessionTable::claim(const wire::PrefaceBytes& bytes,
                                              const net::tcp::endpoint& peer) {
    const auto refused = [&](std::string_view reason) {
        ++counters_.refused_tickets;
        log_.warn("data connection refused", {{"address", net::to_text(peer)}, {"reason", reason}});
        return std::nullopt;
    };
    const auto preface = wire::decode_preface(bytes);
    if (!preface) return refused(preface.error().message);
    const auto found = by_id_.find(preface->session);
    if (found == by_id_.end()) return refused("its session is not connected");
    auto& session = *found->second;
    auto key = session.tickets().redeem(*preface, bytes, Clock::now());
    if (!key) return refused(key.error().message);
    auto& waiting = seats_[session.seat()].waiting;
    while (!waiting.empty()) {
        auto first = std::move(waiting.front());
        waiting.pop_front();
        const auto* mapping = mappings_.get(first.mapping);
        if (mapping == nullptr) {
            refuse(std::move(first), "the mapping was removed");
            continue;
        }
        Assignment assignment;
        assignment.open = {ConnectionId{++last_connection_},
                           mapping->key.name,
                           mapping->service,
                           mapping->encrypt,
                           net::to_text(first.visitor.peer),
                           net::to_text(net::local_of(first.visitor.fd.get()))};
        assignment.visitor = std::move(first.visitor);
        assignment.mapping = mapping->key;
        assignment.counters = mapping->counters;
        assignment.counters->visitors += 1;
        assignment.ticket_key = std::move(*key);
        assignment.preface = *preface;
        assignment.liveness = {settings_.heartbeat.interval, settings_.heartbeat.timeout};
        return assignment;
    }
    // The visitor it was dialled for has given up: nothing unusual.
    return std::nullopt;
}

void SessionTable::mappings_changed(const SeatKey& seat) {
    const auto found = seats_.find(seat);
    if (found == seats_.end()) return;
    found->second.states_wanted = true;
    flush_soon(seat);
}

void SessionTable::want_dials(const SeatKey& key, Seat& seat, std::size_t count) {
    seat.dials_wanted += count;
    flush_soon(key);
}

void SessionTable::flush_soon(const SeatKey& key) {
    const bool posted = !to_flush_.empty();
    to_flush_.insert(key);
    if (!posted) asio::post(executor_, [this] { flush(); });
}

void SessionTable::flush() {
    for (const auto& key : std::exchange(to_flush_, {})) {
        const auto found = seats_.find(key);
        if (found != seats_.end()) flush(key, found->second);
    }
}

void SessionTable::flush(const SeatKey& key, Seat& seat) {
    if (seat.session == nullptr || !seat.session->logged_in() || !seat.declared) return;
    if (std::exchange(seat.states_wanted, false))
        seat.session->send(wire::MappingStates{mappings_.states_for(key)});
    if (seat.dials_wanted == 0) return;
    seat.session->dial(std::exchange(seat.dials_wanted, 0));
    const auto deadline = Clock::now() + dial_patience;
    // Those without a deadline stand at the end.
    for (auto it = seat.waiting.rbegin(); it != seat.waiting.rend() && !it->deadline; ++it)
        it->deadline = deadline;
}

void SessionTable::leave_seat(Session& session) {
    by_id_.erase(session.id());
    const auto found = seats_.find(session.seat());
    if (found == seats_.end() || found->second.session != &session) return;
    auto& seat = found->second;
    seat.session = nullptr;
    seat.away_since = Clock::now();
    seat.dials_wanted = 0;
    for (auto& waiting : seat.waiting) {
        waiting.deadline.reset();
        waiting.dials_failed = 0;
    }
}

void SessionTable::ended(Session& session, const Error& reason) {
    if (!session.logged_in()) {
        if (reason.code != Errc::closed)
            log_.info("control connection failed",
                      {{"address", session.address()}, {"reason", reason.message}});
        return;
    }
    const auto found = seats_.find(session.seat());
    const bool in_seat = found != seats_.end() && found->second.session == &session;
    leave_seat(session);
    clients_.note_seen(session.seat().client, std::chrono::system_clock::now());
    log_.info("session closed", {{"client", session.seat().client},
                                 {"slot", session.seat().slot},
                                 {"address", session.address()},
                                 {"reason", reason.message}});
    if (!in_seat) return;
    const bool may_return = clients_.may_stay(session.seat().client, std::chrono::system_clock::now());
    if (session.leaving() || shutting_down_ || !may_return)
        drop_seat(found);
    else
        mappings_.set_presence(session.seat(), Presence::away);
}

SessionTable::Seats::iterator SessionTable::drop_seat(Seats::iterator at) {
    const auto key = at->first;
    auto waiting = std::move(at->second.waiting);
    const auto next = seats_.erase(at);
    mappings_.set_presence(key, Presence::gone);
    for (auto& visitor : waiting) refuse(std::move(visitor), "the client did not come back in time");
    return next;
}

void SessionTable::sweep(TimePoint now) {
    mappings_.retry_refused();
    for (auto it = seats_.begin(); it != seats_.end();) {
        auto& seat = it->second;
        if (seat.session == nullptr && now - seat.away_since >= settings_.grace) {
            log_.info("client away",
                      {{"client", it->first.client}, {"grace", format_duration(settings_.grace)}});
            it = drop_seat(it);
            continue;
        }
        if (seat.session != nullptr && seat.session->logged_in()) {
            seat.session->tickets().drop_expired(now);
            if (!clients_.may_stay(it->first.client, std::chrono::system_clock::now()))
                seat.session->close(Code::revoked,
                                    "this client has expired: ask the server's admin to add it again");
        }
        drop_broken(seat);
        // The oldest stand in front.
        while (!seat.waiting.empty() && seat.waiting.front().deadline &&
               *seat.waiting.front().deadline <= now) {
            auto first = std::move(seat.waiting.front());
            seat.waiting.pop_front();
            refuse(std::move(first),
                   "no data connection came from the client in time: can it reach the tunnel port?");
        }
        ++it;
    }
}

// Visitors who went away with a reset. One who only said that it sends no more may still want an answer.
void SessionTable::drop_broken(Seat& seat) {
    std::erase_if(seat.waiting, [this](const Waiting& waiting) {
        if (!net::is_broken(waiting.visitor.fd.get())) return false;
        log_.info("visitor left", {{"mapping", waiting.mapping.name},
                                   {"client", waiting.mapping.client},
                                   {"visitor", net::to_text(waiting.visitor.peer)},
                                   {"reason", "it did not wait for a data connection"}});
        return true;
    });
}

Status SessionTable::close_sessions(const std::string& client, wire::Goodbye::Code code,
                                    const std::string& message) {
    bool any = false;
    for (auto& [key, seat] : seats_) {
        if (key.client != client || seat.session == nullptr) continue;
        seat.session->close(code, message);
        any = true;
    }
    if (any) return {};
    return fail(Errc::not_found,
                "the client \"{}\" has no session: tunnelctl session list shows those there are", client);
}

void SessionTable::drop_seats(const std::string& client) {
    for (auto it = seats_.begin(); it != seats_.end();) {
        if (it->first.client != client) {
            ++it;
            continue;
        }
        if (it->second.session != nullptr) leave_seat(*it->second.session);
        it = drop_seat(it);
    }
}

std::vector<const Session*> SessionTable::sessions() const {
    std::vector<const Session*> out;
    for (const auto& [key, seat] : seats_) {
        if (seat.session != nullptr) out.push_back(seat.session);
    }
    return out;
}

std::optional<Presence> SessionTable::presence(const std::string& client) const {
    std::optional<Presence> best;
    for (const auto& [key, seat] : seats_) {
        if (key.client != client) continue;
        if (seat.session != nullptr) return Presence::connected;
        best = Presence::away;
    }
    return best;
}

std::size_t SessionTable::waiting() const {
    std::size_t count = 0;
    for (const auto& [key, seat] : seats_) count += seat.session != nullptr ? seat.waiting.size() : 0;
    return count;
}

void SessionTable::set_settings(SessionSettings settings) {
    settings_ = std::move(settings);
    for (auto& [key, seat] : seats_) {
        if (seat.session != nullptr) seat.session->set_times(settings_.heartbeat);
    }
}

net::awaitable<void> SessionTable::shut_down() {
    shutting_down_ = true;
    for (auto& [key, seat] : seats_) {
        if (seat.session != nullptr) seat.session->close(Code::restarting, "the server is shutting down");
    }
    for (auto it = seats_.begin(); it != seats_.end();) {
        if (it->second.session != nullptr) leave_seat(*it->second.session);
        it = drop_seat(it);
    }
    // Goodbyes have a second to leave; strangers who have not logged in yet get no longer either.
    const net::Deadline deadline(executor_, goodbye_limit, [this] { tasks_.cancel(); });
    co_await tasks_.join();
}

}  // namespace tunnel::server
