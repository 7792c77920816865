#pragma once
// The admin API's Unix socket: accepts tunnelctl and other programs of the host, reads AdminRequests and
// writes their AdminResponses in order (proto/admin.proto). Control thread. Who may connect is the socket
// file's mode and group.

#include <functional>
#include <memory>
#include <string>

#include "common/core/log.hpp"
#include "common/net/listener.hpp"
#include "common/net/task_group.hpp"
#include "common/net/unix_socket.hpp"
#include "proto/admin.pb.h"

namespace tunnel::server {

class AdminSocket {
  public:
    using Handler = std::function<net::awaitable<proto::AdminResponse>(proto::AdminRequest)>;

    AdminSocket(const asio::any_io_executor& executor, Log log, Handler handler);
    AdminSocket(const AdminSocket&) = delete;
    AdminSocket& operator=(const AdminSocket&) = delete;

    // As UnixListener: mode 0660, owned by `group` unless empty; takes only the place of a socket that nobody
    // listens on. Errc::conflict: somebody does. The socket file goes with this object.
    Status listen(const std::string& path, const std::string& group);
    net::awaitable<void> stop();

  private:
    net::awaitable<void> accept(std::shared_ptr<net::ListenSocket> socket);
    net::awaitable<void> serve(net::UniqueFd fd);

    asio::any_io_executor executor_;
    Log log_;
    Handler handler_;
    net::TaskGroup tasks_;
    std::unique_ptr<net::UnixListener> listener_;
};

}  // namespace tunnel::server
