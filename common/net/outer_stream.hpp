#pragma once
// A connection that carries another one: TCP, or TLS over it, as the ways to the server use it while they
// shake hands (HTTP CONNECT, SOCKS5, WebSocket) and afterwards. One thread.

#include <optional>

#include "common/core/bytes.hpp"
#include "common/core/result.hpp"
#include "common/net/asio.hpp"
#include "common/net/unique_fd.hpp"
#include "common/tls/session.hpp"
#include "common/wire/http_head.hpp"

namespace tunnel::net {

class OuterStream {
  public:
    OuterStream(const asio::any_io_executor& executor, UniqueFd fd) : socket_(executor, fd.release()) {}
    // `session` has shaken hands over this socket; bytes it has already read are kept in it.
    OuterStream(Descriptor socket, std::optional<tls::Session> session)
        : socket_(std::move(socket)), tls_(std::move(session)) {}

    // From here on TLS runs over it.
    awaitable<Status> start_tls(tls::Session session);

    // At least one byte; nothing is allocated while none is there. Errors are those of stream_io.hpp:
    // Errc::closed at the end of TCP or TLS.
    awaitable<Result<Bytes>> read();
    awaitable<Status> read_exactly(MutableBytes out);
    // One whole head of an HTTP message; what follows it is kept for the next read.
    awaitable<Result<Bytes>> read_http_head();
    awaitable<Status> write(BytesView bytes);

    // For a writer of its own: `bytes` as they go into the socket.
    Result<Bytes> seal(BytesView bytes);
    // The same of TLS's goodbye.
    Bytes seal_end();

    Descriptor& socket() { return socket_; }
    int fd() { return socket_.native_handle(); }
    // Gives up the socket for other use. Errc::protocol when the peer said more than it was asked for.
    Result<UniqueFd> release();

  private:
    awaitable<Result<Bytes>> read_socket();

    Descriptor socket_;
    std::optional<tls::Session> tls_;
    Bytes kept_;
};

}  // namespace tunnel::net
