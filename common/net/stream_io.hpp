#pragma once
// Whole reads and writes on a non-blocking socket, for the few bytes around a handshake or a head. Bulk is
// the relay's business. All stop with Errc::closed at an orderly end, Errc::io on a reset, Errc::timeout when
// cancelled (a Deadline or a TaskGroup did it).

#include "common/core/bytes.hpp"
#include "common/core/result.hpp"
#include "common/net/asio.hpp"

namespace tunnel::net {

// Exactly out.size() bytes, so that nothing beyond them leaves the kernel.
awaitable<Status> read_exactly(Descriptor& socket, MutableBytes out);
// At least one byte, at most out.size().
awaitable<Result<std::size_t>> read_some(Descriptor& socket, MutableBytes out);
awaitable<Status> write_all(Descriptor& socket, BytesView bytes);

}  // namespace tunnel::net
