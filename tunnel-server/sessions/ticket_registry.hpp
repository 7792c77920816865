#pragma once
// The tickets of every session that is connected, where the workers find them: a data connection is checked
// on the worker that accepted it. Any thread.

#include <atomic>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "tunnel-server/mappings/mapping_key.hpp"
#include "tunnel-server/sessions/ticket_book.hpp"

namespace tunnel::server {

// One session's tickets, shared by the control thread, which issues them, and the workers, which redeem them.
class SessionTickets {
  public:
    enum class Client : bool { uses_each_once, uses_again };
    SessionTickets(SeatKey seat, const Secret& session_data_key, Cipher cipher, Client client)
        : seat_(std::move(seat)), cipher_(cipher), client_(client), book_(session_data_key) {}
    const SeatKey& seat() const { return seat_; }
    // Of the session's data connections.
    Cipher cipher() const { return cipher_; }
    // Whether its client takes a data connection back when the stream has ended.
    bool client_reuses() const { return client_ == Client::uses_again; }

    // As TicketBook has them.
    wire::Dial issue(std::uint32_t count, TimePoint now);
    Result<Secret> redeem(const wire::Preface& preface, const wire::PrefaceBytes& bytes, TimePoint now);
    bool cancel(TicketNumber number);
    // How many.
    std::size_t drop_expired(TimePoint now);

    // Visitors who wait for a data connection of this session: they come before new ones.
    std::atomic<std::size_t> waiting{0};
    // Of its data connections, as many may wait for visitors at a worker.
    std::atomic<std::size_t> most_ready{0};

  private:
    const SeatKey seat_;
    const Cipher cipher_;
    const Client client_;
    std::mutex mutex_;
    TicketBook book_;
};

class TicketRegistry {
  public:
    void add(SessionId session, std::shared_ptr<SessionTickets> tickets);
    void remove(SessionId session);
    // Null when that session is not connected.
    std::shared_ptr<SessionTickets> find(SessionId session) const;

  private:
    mutable std::mutex mutex_;
    std::unordered_map<SessionId, std::shared_ptr<SessionTickets>> sessions_;
};

}  // namespace tunnel::server
