#pragma once
// Unix stream sockets (unix(7)) as services and as public endpoints.

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>

#include "common/core/clock.hpp"
#include "common/core/result.hpp"
#include "common/net/asio.hpp"
#include "common/net/listener.hpp"
#include "common/net/unique_fd.hpp"

namespace tunnel::net {

// Connects to the socket at `path`. A full backlog is waited for, up to `limit`. The descriptor is
// non-blocking.
awaitable<Result<UniqueFd>> dial_unix(std::string path, Clock::duration limit);

// A listening socket at a path, for whoever is in its group (mode 0660). Nothing that stands at the path is
// ever replaced, except a socket on which nobody listens any more. The path is removed with this object, if
// it is still this socket's.
class UnixListener {
  public:
    // `group` owns it, or the process's group. Errc::conflict: the path is taken; not_allowed,
    // not_found: the folder. Errors name the path.
    static Result<std::unique_ptr<UnixListener>> open(const std::string& path,
                                                      std::optional<gid_t> group = {});
    UnixListener(const UnixListener&) = delete;
    UnixListener& operator=(const UnixListener&) = delete;
    ~UnixListener();

    // Several accept loops may share it.
    const std::shared_ptr<ListenSocket>& socket() const { return socket_; }

  private:
    UnixListener(std::string path, std::uint64_t device, std::uint64_t inode,
                 std::shared_ptr<ListenSocket> socket);
    std::string path_;
    std::uint64_t device_;
    std::uint64_t inode_;
    std::shared_ptr<ListenSocket> socket_;
};

// Who connected, for logs: "unix:pid=4711,uid=33"; "unix" when the system does not say. SO_PEERCRED.
std::string unix_peer_to_text(int fd);

}  // namespace tunnel::net
