#pragma once
// The relay: joins an outer socket (the visitor's at the server, the service's at the client) with a data
// connection, in both directions, until both have ended. The heart of both programs. A state machine driven
// by edge-triggered readiness (EventSet): it holds no coroutine, no buffer and no pipe while it is idle.
//
// Bytes: a plain direction begins by copying through the worker's scratch buffer, which costs the least for
// small messages. A read that fills the buffer means bulk: the direction then moves by splice(2) through a
// leased pipe, until twice in a row little was to be had. Where no pipe is to be had, or splice refuses, it
// copies. An encrypted direction is sealed or opened in user space, through scratch buffers, until it is bulk
// and kernel TLS may be used (KernelTlsUse): from then on it moves as a plain one does. What a socket does
// not take waits in the leased pipe or in a small buffer of the direction's own, the only one it may hold.
//
// Speeds: a direction with a bandwidth leases bytes before it reads, and where there are none it stays unread
// until its turn comes.
//
// A plain data connection that may be used again begins in chunks, which tell the end of a direction; bulk,
// and whoever says more than a few words, leaves them behind.
//
// Ends: the end of one direction is passed on as shutdown(SHUT_WR) once everything before it was written (on
// an encrypted data connection as close_notify alone, so that it crosses proxies that know no half-close),
// and the other direction goes on. Where both ends were told inside the data connection, it is not closed.
// Any failure ends both directions with a reset on both sockets, so that a peer never takes a broken transfer
// for a complete one. That holds even when this process is killed: both sockets are set to reset on close
// until the relay has finished well.
//
// One worker's thread. The process ignores SIGPIPE (prepare_process()): splice(2) knows no MSG_NOSIGNAL.

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "common/core/bytes.hpp"
#include "common/core/clock.hpp"
#include "common/net/parked_socket.hpp"
#include "common/net/relay/direction.hpp"
#include "common/net/relay/relay_end.hpp"
#include "common/net/relay/resources.hpp"
#include "common/net/unique_fd.hpp"
#include "common/tls/record.hpp"
#include "common/wire/chunk.hpp"

namespace tunnel::net {

// What kernel TLS is given when it takes over.
struct RecordKeys {
    tls::DirectionKeys seal;
    tls::DirectionKeys open;
};

// The two record layers of an encrypted data connection.
struct RecordLayers {
    tls::RecordSealer sealer;
    tls::RecordOpener opener;
    std::unique_ptr<RecordKeys> keys;  // null: kernel TLS is never asked
};

struct RelayResult {
    RelayEnd end = RelayEnd::finished;
    std::string detail;            // what the system or the peer said, empty when finished
    std::uint64_t from_outer = 0;  // bytes that came from the outer socket and were passed on
    std::uint64_t to_outer = 0;    // bytes that were written to the outer socket
    Millis duration{0};
    // Whether the kernel came to seal and to open the records.
    bool sealed_by_kernel = false;
    bool opened_by_kernel = false;
    // When the relay ended unanswered: the outer socket, still open, and all that was read of it.
    UniqueFd outer;
    Bytes taken;
    // The data connection, when it can be used again (Relay::set_reusable()), and what came on it after the
    // stream. There may be more when something was told while nobody listened.
    std::optional<ParkedSocket> data;
    Bytes after_stream;
    bool may_have_more = false;
    bool hung_up = false;
};

struct RelayRefusal {
    RelayEnd end;
    std::string detail;
};

// What comes on the data connection before the bytes for the outer socket, while the other direction already
// flows: the server reads the client's StreamAnswer there.
class RelayPrologue {
  public:
    virtual ~RelayPrologue() = default;
    enum class Step { incomplete, done, refused };
    // The data connection may have more to read; incomplete only after EAGAIN.
    virtual Step read(int data_fd) = 0;
    // After done: what it has read beyond its own bytes, some KiB at most, and whether that was all there
    // was.
    virtual BytesView rest() const { return {}; }
    virtual bool emptied() const { return false; }
    // After refused: how the relay ends.
    virtual RelayRefusal refusal() = 0;
    // Whether the outer socket may be joined with another data connection when this one fails before done. A
    // copy of the bytes from it is then kept meanwhile, at most 16 KiB, and a relay that ends unanswered
    // gives both back.
    virtual bool may_move() const { return false; }
};

// How a relay begins.
struct RelayBeginning {
    // Goes out on the data connection before everything else, in one segment with the outer socket's first
    // bytes where those are there already. A few KiB at most; used within start().
    BytesView opening{};
    // Was read of the outer socket before, and follows the opening. Used within start(); of an opening that
    // waits there is none.
    BytesView taken{};
    // Where there are none yet, the opening waits a moment for them (OpeningQueue).
    bool opening_may_wait = false;
    // The data connection's socket is in the event set, and its peer had ended already when that was told.
    bool data_is_watched = false;
    bool data_hung_up = false;
    // Was read of the data connection before, some KiB at most, and whether there may be more. Used within
    // start().
    BytesView begun{};
    bool data_may_have_more = true;
};

class Relay {
  public:
    // Without record layers the bytes are relayed as they are. Both sockets are non-blocking, and prepared
    // (prepare_for_relay()) or accepted by a listener that is.
    Relay(RelayResources resources, UniqueFd outer, UniqueFd data, std::optional<RecordLayers> records);
    Relay(const Relay&) = delete;
    Relay& operator=(const Relay&) = delete;
    // Only before start() and from `done` on.
    ~Relay() = default;

    // What each direction keeps to from its next lease on, and what counts its bytes. Null: nothing of this
    // limiter.
    void set_bandwidths(Limiter limiter, std::shared_ptr<Bandwidth> from_outer,
                        std::shared_ptr<Bandwidth> to_outer);

    // Called once, in a turn of its own, when both directions have ended and both sockets are closed. It may
    // destroy the relay.
    using Done = std::function<void(RelayResult)>;
    void start(std::unique_ptr<RelayPrologue> prologue, Done done, const RelayBeginning& beginning = {});

    // Lets an opening go that has waited.
    void flush_opening();

    // Ends it; done is then called with this reason, unless the relay has ended already.
    void abort(RelayEnd reason, std::string detail = {});

    // Before start(): the outer socket is a Unix socket (unix(7)). A short read does not mean that it is
    // empty, since a message with descriptors ends one; and its peer sees an end where TCP would show a
    // reset.
    void set_outer_is_unix() { outer_.hung_up = true; }

    // Before start(): a data connection whose stream ends in an orderly way is given back with the result,
    // not closed. A plain one begins in chunks then (wire/chunk.hpp), and is given back while it is in
    // chunks. `again`, unless it is null, makes what is sent on it once both directions have ended: with the
    // last end in one segment, where that goes the same way.
    using Again = std::function<Bytes()>;
    void set_reusable(Again again);

    std::uint64_t from_outer() const { return outward_in_.moved; }
    std::uint64_t to_outer() const { return data_in_.moved; }
    int outer_fd() const { return outer_.fd.get(); }
    int data_fd() const { return data_.fd.get(); }
    // Null for a plain data connection. The prologue opens the client's answer with it.
    RecordLayers* record_layers() { return records_ ? &*records_ : nullptr; }

  private:
    enum class Side { outer, data };
    static constexpr std::size_t most_taken = std::size_t{16} * 1024;
    struct Socket final : EventSet::Handler {
        Socket(Relay& of, Side is, UniqueFd owns) : relay(of), side(is), fd(std::move(owns)) {}
        void on_events(std::uint32_t events) override { relay.on_events(*this, events); }
        Relay& relay;
        Side side;
        bool watched = false;    // by the event set
        bool hung_up = false;    // its peer has ended or reset: a short read may have the end behind it
        bool told_late = false;  // of something, when the relay had ended
        UniqueFd fd;
    };

    void on_events(Socket& socket, std::uint32_t events);
    bool watch(Socket& socket);
    // What the target did not take goes on when it can be written to.
    void wait_for_room(Direction& direction);
    void send_opening(BytesView opening, BytesView taken);
    void run_prologue();
    void take_begun(BytesView begun);
    void settle();

    // One turn of a direction: moves what can be moved now, within a budget.
    void pump(Direction& direction);
    void set_bandwidth(Direction& direction, Limiter limiter, std::shared_ptr<Bandwidth> bandwidth);
    // False when the direction has to wait for its turn; else read_limit_ bytes may be read.
    bool may_read(Direction& direction);
    // False while the target takes no more, and after a failure.
    bool flush(Direction& direction);
    bool flush_pipe(Direction& direction);
    // Each reads once from the source and passes on what it can.
    // recv(2); of the outer socket with a copy, while it may move to another data connection.
    ssize_t receive(Direction& direction, MutableBytes into);
    bool has_taken_most() const { return taken_ && taken_->size() == most_taken; }
    void copy(Direction& direction);
    void splice(Direction& direction);
    void seal(Direction& direction);
    void open(Direction& direction);
    // The source has been emptied.
    void rest(Direction& direction);
    // Notes what a read that was no success means.
    void no_bytes(Direction& direction, int error);
    // `bytes` may be scratch memory; `counts` is what they are worth as payload.
    void write(Direction& direction, BytesView bytes, std::size_t counts);
    void finish(Direction& direction);

    // chunks.cpp: a plain data connection that may be used again.
    bool in_chunks(const Direction& direction) const;
    // Bytes of the outer socket that stand in `buffer` behind the place of a header.
    void write_chunk(Direction& direction, MutableBytes buffer, std::size_t size);
    void read_chunks(Direction& direction, MutableBytes bytes);
    void end_of_source(Direction& direction);
    bool can_be_used_again() const;
    // What follows the last end on the data connection: nothing, or `again`, once.
    Bytes words_after_end();
    // The other end has said that it has got everything, and all that it sent is here.
    bool other_end_is_done();
    void say_again();

    struct Opened;
    Opened open_records(BytesView bytes);
    // Of scratch.in; the last may be cut.
    void take_records(Direction& direction, BytesView bytes);

    // kernel_records.cpp: an encrypted direction that the kernel seals or opens.
    bool kernel_may_take(const Direction& direction, bool full_read) const;
    bool attach_kernel();
    void offer_sealing();
    void offer_opening();
    bool kernel_opens(const Direction& direction) const;
    bool kernel_seals(const Direction& direction) const;
    // Bytes that the data connection took as they were.
    void given(const Direction& direction, std::size_t bytes);
    void copy_opened(Direction& direction);
    void splice_opened(Direction& direction);
    void opened_by_kernel(Direction& direction, const Result<KernelTlsSocket::Received>& got);
    // Says close_notify; false until it and all before it have left kernel TLS.
    bool end_sealing(Direction& direction);

    bool fail(RelayEnd end, std::string detail);
    bool fail_at(const Socket& socket, int error);
    void complete();
    void close();

    Direction& from(const Socket& socket) { return socket.side == Side::outer ? outward_in_ : data_in_; }
    Direction& into(const Socket& socket) { return socket.side == Side::outer ? data_in_ : outward_in_; }
    Socket& source(const Direction& direction) { return &direction == &outward_in_ ? outer_ : data_; }
    Socket& target(const Direction& direction) { return &direction == &outward_in_ ? data_ : outer_; }

    RelayResources resources_;
    Bytes opening_;  // that waits
    Socket outer_;
    Socket data_;
    Direction outward_in_;  // outer socket -> data connection
    Direction data_in_;     // data connection -> outer socket
    std::optional<RecordLayers> records_;
    struct Kernel;
    struct KernelDeleter {
        void operator()(Kernel* kernel) const;
    };
    std::unique_ptr<Kernel, KernelDeleter> kernel_;  // once it was asked to take a direction
    std::unique_ptr<RelayPrologue> prologue_;
    // Null: nothing of this, or no more.
    struct Reuse {
        wire::ChunkWriter out;
        wire::ChunkReader in;
        Bytes after_stream;
        Again again;  // null once it was asked
    };
    std::unique_ptr<Reuse> reuse_;
    std::unique_ptr<RelayRefusal> failure_;
    Done done_;
    TimePoint started_{};
    std::unique_ptr<Bytes> taken_;  // of the outer socket; null unless that may move
    std::size_t read_limit_ = 0;    // of the read that is next
    bool completing_ = false;
};

}  // namespace tunnel::net
