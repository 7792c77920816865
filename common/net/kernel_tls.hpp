#pragma once
// Kernel TLS: Linux seals and opens the records of one connected TCP socket (kernel documentation
// networking/tls.rst, linux/tls.h), so that an encrypted data connection can be moved by splice(2) as if it
// were plain. The records are those of tls/record.hpp; the other end cannot tell who makes them.
//
// Rules for whoever moves bytes over such a socket, each found by trying:
// - Out: splice exactly what the pipe holds, never more, and never SPLICE_F_MORE or MSG_MORE: kernels differ
//   in whether they then hold the last bytes back in an open record. EAGAIN after a part was taken is normal;
//   offer the rest again when the socket is writable.
// - In: by splice, with explain() for every answer but bytes, or by receive(). Not by read or recv, which
//   have no way to tell a record's type. A splice gives one record at most, so fewer bytes than the pipe has
//   room for do not mean that there are no more; every further record is an edge of its own (EPOLLET).
// - The end of a direction is close_notify. An end without it is a cut, however orderly it looks.
// - Before shutdown(SHUT_WR) or close: all_in_tcp(). Bytes that splice or send took can still be inside
//   kernel TLS, which drops them silently when the socket is shut down or closed.
//
// All calls are non-blocking and belong to the socket's one thread.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "common/core/bytes.hpp"
#include "common/core/log.hpp"
#include "common/core/result.hpp"
#include "common/tls/key_schedule.hpp"
#include "common/tls/record.hpp"

namespace tunnel::net {

// One direction at the moment it is handed over: RecordSealer::sequence() or RecordOpener::sequence().
struct KernelTlsDirection {
    const tls::DirectionKeys& keys;
    std::uint64_t sequence = 0;
};

// One socket that kernel TLS stands ready for. Each direction is handed over by itself, in the middle of the
// stream or at its start, and until then stays the caller's, in user space. Does not own the socket; a small
// value that may be moved.
class KernelTlsSocket {
  public:
    // The kernel seals from now on: what is written is plaintext. The caller has written all it sealed. The
    // keys are copied into the kernel and wiped from this function's own memory; the caller's copy is the
    // caller's. An error changes nothing: the direction stays in user space.
    Status take_sealing(const KernelTlsDirection& from,
                        std::uint64_t record_limit = tls::default_record_limit);
    // The kernel opens from now on. The caller has read from the socket only whole records that it opened;
    // what waits in the socket unread is opened by the kernel. An error changes nothing.
    Status take_opening(const KernelTlsDirection& from);
    bool seals() const { return seals_; }
    bool opens() const { return opens_; }

    // To be told of every plaintext byte that splice(2) or send(2) took, call by call. Nothing while the
    // kernel does not seal.
    void count_given(std::size_t bytes);
    // The key has sealed as many records as it may, or so nearly as is known: the connection has to end.
    bool used_up() const { return used_up_; }

    // Ends the outgoing direction with the alert {warning, close_notify}. False: no room now, call again when
    // the socket is writable. Once true, nothing may be sent any more.
    Result<bool> send_close_notify();

    // True when every byte given, sealed, is in TCP's own send queue, which outlives shutdown and
    // an orderly close (set_reset_on_close() off).
    // False: ask again when the socket is writable and after some milliseconds too, because the kernel goes
    // on in the background: in a few cases of a thousand the last edge came before the last bytes. A
    // connection that fails stays at false, and is told of by EPOLLERR.
    //
    // How it is known: TCP has queued tcpi_bytes_acked + SIOCOUTQ bytes since the take-over, less what those
    // two said then (acknowledged, and not yet acknowledged). Sealed, all that was given makes given + 29 for
    // each record; getsockopt(TLS_TX)'s rec_seq counts the records, and an open one is missing from it, so
    // the first is less than the second until nothing is left. tcpi_bytes_sent - tcpi_bytes_retrans +
    // tcpi_notsent_bytes says the same until a local queue drops a segment, which TCP then counts twice.
    // Asked in this order, an acknowledgement that comes in between can only make the first sum smaller.
    Result<bool> all_in_tcp() const;

    enum class Kind {
        nothing,       // no whole record is there, or an empty one was
        data,          // `size` bytes, at the start of `out`
        close_notify,  // the peer ended its direction properly; it sends nothing more
    };
    struct Received {
        Kind kind = Kind::nothing;
        std::size_t size = 0;
    };
    // What there is, by recvmsg(2): the data of one record or several, or one alert. `out` is at least 16
    // bytes long. Errors are final for the connection: Errc::protocol when a record was altered, replayed,
    // out of order or too long, for another alert, and for a type that is neither alert nor data;
    // Errc::closed for an end without close_notify, inside a record too; Errc::io when the connection failed.
    Result<Received> receive(MutableBytes out);
    // What it meant that splice from the socket moved nothing: `error` is its errno, 0 when it returned 0.
    // EAGAIN is `nothing`: no record is there, or the pipe is full. The rest is as receive() says, which may
    // find data, too.
    Result<Received> explain(int error, MutableBytes out);

  private:
    friend class KernelTls;
    explicit KernelTlsSocket(int fd) : fd_(fd) {}

    int fd_;
    bool seals_ = false;
    bool opens_ = false;
    bool used_up_ = false;
    std::uint32_t unchecked_ = 0;  // writes since the record number was last looked at
    std::uint64_t record_limit_ = 0;
    std::uint64_t queued_before_ = 0;
    std::uint64_t first_record_ = 0;
    std::uint64_t given_ = 0;
};

// Whether this kernel does TLS. Made once per program, passed down, only read afterwards (any thread).
class KernelTls {
  public:
    // Asks the kernel by sending a record each way over a connection on loopback: at most some seconds, as a
    // rule a millisecond. As root this may load the module; without the right to, somebody has to
    // (`modprobe tls`, or its name in /etc/modules-load.d).
    static KernelTls probe();
    static KernelTls off(std::string why);
    // For a program's start: probe() when its owner wants it, with a line in the log that says what came of
    // it.
    static KernelTls if_wanted(bool wanted, const Log& log);

    bool available() const { return why_not_.empty(); }
    const std::string& why_not() const { return why_not_; }

    // Makes kernel TLS stand ready for a connected TCP socket; until a direction is handed over the socket is
    // as it was. Errc::conflict: done before; Errc::unavailable: not available; Errc::io: the kernel refuses,
    // as it does once the peer has finished sending. An error changes nothing.
    Result<KernelTlsSocket> attach(int fd) const;

  private:
    explicit KernelTls(std::string why_not) : why_not_(std::move(why_not)) {}
    std::string why_not_;
};

}  // namespace tunnel::net
