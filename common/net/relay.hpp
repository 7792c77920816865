#pragma once
// The relay: joins an outer socket (the visitor's at the server, the service's at the client) with a data
// connection, in both directions, until both have ended. The heart of both programs.
//
// Bytes: a plain data connection is moved by splice(2) through a leased pipe; where no pipe is to be had, or
// splice refuses, by copying. An encrypted one is sealed and opened in user space, through the worker's
// scratch buffers. An idle relay owns neither pipe nor buffer; while a socket does not take all it is given,
// the rest waits in the leased pipe or in a small buffer of the relay's own.
//
// Ends: the end of one direction is passed on as shutdown(SHUT_WR) once everything before it was written (on
// an encrypted data connection after close_notify), and the other direction goes on. Any failure ends both
// directions with a reset on both sockets, so that a peer never takes a broken transfer for a complete one.
// That holds even when this process is killed: both sockets are set to reset on close until the relay has
// finished well.
//
// One worker's thread. Owner: the coroutine that awaits run(). The process ignores SIGPIPE
// (prepare_process()): splice(2) knows no MSG_NOSIGNAL.

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "common/core/bytes.hpp"
#include "common/core/clock.hpp"
#include "common/core/result.hpp"
#include "common/net/asio.hpp"
#include "common/net/pipe_pool.hpp"
#include "common/net/relay_end.hpp"
#include "common/net/unique_fd.hpp"
#include "common/tls/record.hpp"

namespace tunnel::net {

struct ScratchBuffers;

// The two record layers of an encrypted data connection.
struct RecordLayers {
    tls::RecordSealer sealer;
    tls::RecordOpener opener;
};

struct RelayResult {
    RelayEnd end = RelayEnd::finished;
    std::string detail;            // what the system or the peer said, empty when finished
    std::uint64_t from_outer = 0;  // bytes that came from the outer socket and were passed on
    std::uint64_t to_outer = 0;    // bytes that were written to the outer socket
    Millis duration{0};
};

class Relay {
  public:
    // What a worker lends to its relays.
    struct Resources {
        PipePool& pipes;
        ScratchBuffers& scratch;
    };
    // Without record layers the bytes are relayed as they are. Both sockets are non-blocking.
    Relay(const asio::any_io_executor& executor, Resources resources, UniqueFd outer, UniqueFd data,
          std::optional<RecordLayers> records);
    Relay(const Relay&) = delete;
    Relay& operator=(const Relay&) = delete;

    // Runs on the data connection before bytes flow from it to the outer socket, while the other direction
    // already flows: the server reads the StreamAnswer there. A failure ends the relay with the given reason.
    struct Refusal {
        RelayEnd end;
        std::string detail;
    };
    using Prologue = std::function<awaitable<std::optional<Refusal>>(Descriptor& data)>;

    // Once. Returns when both directions have ended and both sockets are closed.
    awaitable<RelayResult> run(Prologue prologue = nullptr);

    // Ends a running relay from the same thread; run() then returns with this reason.
    void abort(RelayEnd reason, std::string detail = {});

    std::uint64_t from_outer() const { return from_outer_; }
    std::uint64_t to_outer() const { return to_outer_; }
    int data_fd() { return data_.native_handle(); }
    // Null for a plain data connection. The prologue opens the client's answer with it.
    RecordLayers* record_layers() { return records_ ? &*records_ : nullptr; }

  private:
    enum class Side { outer, data };
    enum class Filled { bytes, nothing, end, refused, failed };

    awaitable<void> to_data();
    awaitable<void> to_outer(Prologue prologue);
    // Pumps move one direction until its orderly end (true) or until the relay has failed (false).
    awaitable<bool> splice_pump(Side from);
    awaitable<bool> copy_pump(Side from);
    awaitable<bool> seal_pump();
    awaitable<bool> open_pump();
    // Copies what can be read now. True or false as a pump; nothing when the source has no more at the
    // moment.
    awaitable<std::optional<bool>> copy_what_is_there(Side from);
    Filled fill(Pipe& pipe, Side from);

    struct Opened;
    Opened open_records(BytesView bytes);
    // These leave a failure in failure_. send() writes all of it. What the socket does not take at once is
    // copied, so `bytes` may be scratch memory.
    awaitable<void> send(Side to, BytesView bytes);
    // Lets other connections of this worker have their turn.
    awaitable<void> yield();
    // Makes a failure of the task's cancellation, which throws nothing here: it could come between two waits,
    // and an exception would leave both sockets open until the relay goes.
    awaitable<void> notice_cancellation();
    // Neither waits for anything once the relay has failed.
    awaitable<void> readable(Side side);
    awaitable<void> writable(Side side);

    awaitable<void> finish_direction(Side from);
    awaitable<void> watch_for_reset(Side side);
    // While the bytes of a source find no room they are not read, and nothing else would notice its reset.
    void watch_stalled_source(Side side);
    bool check_for_reset(Side side);
    bool fail(RelayEnd end, std::string detail);
    bool fail_side(Side side, int error);

    static Side other(Side side) { return side == Side::outer ? Side::data : Side::outer; }
    Descriptor& socket(Side side) { return side == Side::outer ? outer_ : data_; }
    int fd(Side side) { return socket(side).native_handle(); }
    std::uint64_t& moved(Side from) { return from == Side::outer ? from_outer_ : to_outer_; }

    Resources resources_;
    Descriptor outer_;
    Descriptor data_;
    std::optional<RecordLayers> records_;
    std::uint64_t from_outer_ = 0;
    std::uint64_t to_outer_ = 0;
    int directions_ended_ = 0;
    std::optional<Refusal> failure_;
    bool stall_watched_[2] = {false, false};  // by Side
    std::shared_ptr<Relay*> self_;            // for handlers that may run after the relay is gone
};

}  // namespace tunnel::net
