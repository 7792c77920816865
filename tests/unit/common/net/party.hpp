#pragma once
// A visitor or a service: one end of a relayed connection, which sends, receives and ends as it is told, and
// checks every byte it gets.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "common/net/asio.hpp"
#include "common/net/unique_fd.hpp"
#include "tests/unit/common/net/pattern.hpp"

namespace tunnel::net::test {

// When a party's reader begins.
enum class ReadStart {
    at_once,
    when_sender_blocked,  // when the other party cannot send any more, or has sent all
    never,
};

// When a party ends its own direction.
enum class HalfClose { when_sent, after_eof, never };

struct PartyPlan {
    std::uint64_t seed = 0;       // of what it sends
    std::uint64_t peer_seed = 0;  // of what it is to receive
    std::size_t to_send = 0;
    std::size_t write_chunk = 65536;
    std::size_t read_chunk = 65536;
    int turns_between_writes = 0;  // of the loop
    int turns_between_reads = 0;
    ReadStart read_start = ReadStart::at_once;
    HalfClose half_close = HalfClose::when_sent;
    std::optional<std::size_t> reset_after_sent;
    std::optional<std::size_t> reset_after_received;

    std::string text() const;
};

class Party {
  public:
    Party(const asio::any_io_executor& executor, UniqueFd fd, PartyPlan plan);

    // What ReadStart::when_sender_blocked looks at.
    void set_peer(const Party& peer) { peer_ = &peer; }
    // Until both directions have ended or the connection broke.
    awaitable<void> run();

    const PartyPlan& plan() const { return plan_; }
    std::size_t sent() const { return sent_; }
    std::size_t received() const { return received_; }
    // The other end finished in good order.
    bool got_eof() const { return got_eof_; }
    // The connection was reset by the other end, noticed in reading or in writing.
    bool got_reset() const { return got_reset_; }
    // This party reset it itself.
    bool has_reset() const { return has_reset_; }
    // Some byte was not the one that was sent.
    bool corrupted() const { return corrupted_; }
    bool stuck() const { return blocked_ || sent_ == plan_.to_send; }
    // Looks again, for a reset that came after an orderly end.
    bool is_broken() const;
    // Resets the connection now.
    void reset_now();

  private:
    awaitable<void> send();
    awaitable<void> receive();
    awaitable<void> take_turns(int turns);
    // False when the connection broke.
    bool send_some(MutableBytes buffer);
    bool receive_some(MutableBytes buffer, bool& more);
    void broke();
    bool over() const { return got_reset_ || has_reset_; }

    PartyPlan plan_;
    Pattern pattern_;
    Pattern peer_pattern_;
    Descriptor socket_;
    const Party* peer_ = nullptr;
    std::size_t sent_ = 0;
    std::size_t received_ = 0;
    bool blocked_ = false;
    bool got_eof_ = false;
    bool got_reset_ = false;
    bool has_reset_ = false;
    bool corrupted_ = false;
    asio::steady_timer eof_seen_;
};

}  // namespace tunnel::net::test
