#include "tunnel-server/sessions/session_table.hpp"

#include <algorithm>
#include <utility>

#include "common/core/names.hpp"
#include "common/net/deadline.hpp"

namespace tunnel::server {

namespace {

constexpr std::size_t max_seats_per_client = 64;
constexpr Millis goodbye_limit{1500};

using Code = wire::Goodbye::Code;

}  // namespace

SessionTable::SessionTable(const asio::any_io_executor& executor, Log log, ClientBook& clients,
                           MappingTable& mappings, PairingGroup& pairings, SessionSettings settings)
    : executor_(executor),
      log_(std::move(log)),
      clients_(clients),
      mappings_(mappings),
      pairings_(pairings),
      settings_(std::move(settings)),
      tasks_(executor,
             [this](const std::exception& bug) {
                 log_.error("bug in a session", {{"what", bug.what()}});
             }),
      ready_room_(settings_.ready_in_all) {
    pairings_.set_events(*this);
}

void SessionTable::adopt(NewControl control) {
    if (!shutting_down_) tasks_.spawn(serve(std::move(control)));
}

net::awaitable<void> SessionTable::serve(NewControl control) {
    net::set_user_timeout(control.fd.get(), settings_.heartbeat.timeout);
    Session session(executor_, *this, std::move(control), settings_.heartbeat, settings_.public_host);
    const auto reason = co_await session.run();
    ended(session, reason);
}

tl::unexpected<wire::Goodbye> SessionTable::refuse_login(const Session& session, const Error& error,
                                                         const std::string& reason_for_log) {
    ++refused_logins_;
    log_.warn(
        "login refused",
        {{"client", session.seat().client}, {"address", session.address()}, {"reason", reason_for_log}});
    // One that is disabled may try again: it is to be back soon after it was enabled.
    const auto code = error.code == Errc::unavailable ? Code::overloaded : Code::refused;
    return tl::unexpected(wire::Goodbye{code, error.message});
}

tl::expected<Cipher, wire::Goodbye> SessionTable::on_login(Session& session, const wire::Login& login,
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
    const auto cipher = choose_cipher(login.ciphers, settings_.cipher, cpu_has_aes());
    if (!cipher) return refuse_login(session, cipher.error(), "no cipher in common");
    const auto found = seats_.find(session.seat());
    if (found == seats_.end()) {
        std::size_t seats = 0;
        for (const auto& [key, seat] : seats_) seats += key.client == login.client ? 1 : 0;
        if (seats >= max_seats_per_client)
            return tl::unexpected(wire::Goodbye{
                Code::overloaded, fmt::format("the client \"{}\" has {} sessions already: end one first",
                                              login.client, seats)});
    }
    auto& seat =
        seats_.try_emplace(session.seat(), SeatPool(settings_.pool, pairings_.workers())).first->second;
    if (seat.session != nullptr) {
        const bool same = seat.session->instance() == session.instance();
        if (!same && !login.takeover)
            return tl::unexpected(wire::Goodbye{
                Code::occupied,
                fmt::format("\"{}\" is connected from {}", login.client, seat.session->address())});
        Session& old = *seat.session;
        leave_seat(old);
        log_.info("session taken over",
                  {{"client", login.client}, {"from", old.address()}, {"by", session.address()}});
        old.close(Code::replaced, fmt::format("another tunnel-client logged in as \"{}\" from {}",
                                              login.client, session.address()));
    }
    seat.session = &session;
    seat.declared = false;
    seat.pool.restart();
    by_id_[session.id()] = &session;
    clients_.note_seen(login.client, std::chrono::system_clock::now());
    log_.info("session opened", {{"client", login.client},
                                 {"slot", login.slot},
                                 {"address", session.address()},
                                 {"way", to_string(session.way())},
                                 {"software", login.software},
                                 {"cipher", to_string(*cipher)}});
    return *cipher;
}

void SessionTable::on_logged_in(Session& session) {
    session.tickets()->most_ready = settings_.pool.ceiling;
    pairings_.tickets().add(session.id(), session.tickets());
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
    flush_soon(session.seat());
}

void SessionTable::on_objection(Session& session, const wire::MappingObjection& objection) {
    mappings_.object({session.seat().client, objection.mapping}, objection.reason);
}

void SessionTable::on_health(Session& session, const wire::HealthReport& report) {
    mappings_.note_health(session.seat(), report);
}

void SessionTable::mappings_changed(const SeatKey& seat) {
    const auto found = seats_.find(seat);
    if (found == seats_.end()) return;
    found->second.states_wanted = true;
    flush_soon(seat);
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
    if (std::exchange(seat.states_wanted, false)) {
        auto states = mappings_.states_for(key);
        seat.has_mappings = !states.empty();
        seat.session->send(wire::MappingStates{std::move(states)});
    }
    pair_waiting(seat);
    dial(seat);
}

void SessionTable::leave_seat(Session& session) {
    by_id_.erase(session.id());
    pairings_.tickets().remove(session.id());
    const auto found = seats_.find(session.seat());
    if (found == seats_.end() || found->second.session != &session) return;
    auto& seat = found->second;
    seat.session = nullptr;
    seat.away_since = Clock::now();
    seat.pool.restart();
    pairings_.drop(session.seat());
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
    if (session.leaving() || shutting_down_ || !may_return) {
        drop_seat(found);
        return;
    }
    mappings_.set_presence(session.seat(), Presence::away);
    move_elsewhere(found->second);
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
    std::size_t ready = 0;
    for (const auto& [key, seat] : seats_)
        ready += static_cast<std::size_t>(std::max<std::ptrdiff_t>(seat.pool.ready(), 0)) + seat.pool.asked();
    ready_room_ = settings_.ready_in_all - std::min(ready, settings_.ready_in_all);
    for (auto it = seats_.begin(); it != seats_.end();) {
        auto& seat = it->second;
        if (seat.session == nullptr && now - seat.away_since >= settings_.grace) {
            log_.info("client away",
                      {{"client", it->first.client}, {"grace", format_duration(settings_.grace)}});
            it = drop_seat(it);
            continue;
        }
        sweep(it->first, seat, now);
        ++it;
    }
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

std::size_t SessionTable::ready(const SeatKey& seat) const {
    const auto found = seats_.find(seat);
    return found == seats_.end()
               ? 0
               : static_cast<std::size_t>(std::max<std::ptrdiff_t>(found->second.pool.ready(), 0));
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
        if (seat.session != nullptr && seat.session->logged_in())
            seat.session->tickets()->most_ready = settings_.pool.ceiling;
        seat.pool.set_limits(settings_.pool);
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
