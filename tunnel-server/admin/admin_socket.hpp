#pragma once
// The admin API's Unix socket: accepts tunnelctl and other programs of the host, reads AdminRequests and
// writes their AdminResponses in order (proto/admin.proto). Control thread. Who may connect is the socket
// file's mode and group.

#include <functional>
#include <string>

#include "common/core/log.hpp"
#include "common/net/listener.hpp"
#include "common/net/task_group.hpp"
#include "proto/admin.pb.h"

namespace tunnel::server {

class AdminSocket {
  public:
    using Handler = std::function<net::awaitable<proto::AdminResponse>(proto::AdminRequest)>;

    AdminSocket(const asio::any_io_executor& executor, Log log, Handler handler);
    AdminSocket(const AdminSocket&) = delete;
    AdminSocket& operator=(const AdminSocket&) = delete;
    // Removes the socket file.
    ~AdminSocket();

    // Mode 0660, owned by `group` unless empty. Takes the place of a socket file that nobody answers on;
    // refuses one that a running server answers on (Errc::conflict).
    Status listen(const std::string& path, const std::string& group);
    net::awaitable<void> stop();

  private:
    net::awaitable<void> accept(std::shared_ptr<net::ListenSocket> socket);
    net::awaitable<void> serve(net::UniqueFd fd);

    asio::any_io_executor executor_;
    Log log_;
    Handler handler_;
    net::TaskGroup tasks_;
    std::string path_;
    std::shared_ptr<net::ListenSocket> socket_;
};

}  // namespace tunnel::server
