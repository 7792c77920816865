#pragma once
// Going a way: from a connection to its first hop to one whose other end is the tunnel port. Through a proxy
// it is the same socket, so that the kernel still moves the bytes; inside WebSocket it is one end of a
// bridge.

#include <memory>

#include "common/net/asio.hpp"
#include "common/net/socket.hpp"
#include "common/net/task_group.hpp"
#include "common/net/unique_fd.hpp"
#include "tunnel-client/ways/way.hpp"

namespace tunnel::client {

// `fd` is connected to way->first_hop(); `bridges` runs on this thread. Errors name what refused and say what
// to do; Errc::timeout when it took too long.
net::awaitable<Result<net::UniqueFd>> go(std::shared_ptr<const Way> way, net::UniqueFd fd,
                                         net::TaskGroup& bridges, net::Liveness liveness);

}  // namespace tunnel::client
