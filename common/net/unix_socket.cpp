#include "common/net/unix_socket.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "common/net/deadline.hpp"

namespace tunnel::net {

namespace {

constexpr int backlog = 4096;
constexpr Millis full_backlog_pause{20};

Result<sockaddr_un> address_of(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.empty() || path.size() >= sizeof address.sun_path)
        return fail(Errc::invalid, "\"{}\" cannot be the path of a Unix socket: it has 1 to {} bytes", path,
                    sizeof address.sun_path - 1);
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    return address;
}

UniqueFd stream_socket() {
    return UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

int connect_to(int fd, const sockaddr_un& address) {
    return ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ? 0 : errno;
}

// Makes room at a path where bind(2) found something. Only ever removes a socket that refuses connections.
Status remove_stale(const std::string& path, const sockaddr_un& address) {
    struct stat found {};
    if (::lstat(path.c_str(), &found) != 0) {
        if (errno == ENOENT) return {};
        return fail_errno(errno, fmt::format("cannot look at {}", path));
    }
    if (!S_ISSOCK(found.st_mode))
        return fail(Errc::conflict, "{} is there already and is no socket: choose another path, or remove it",
                    path);
    const auto probe = stream_socket();
    if (!probe) return fail_errno(errno, "cannot open a socket");
    if (const int error = connect_to(probe.get(), address); error != ECONNREFUSED)
        return fail(Errc::conflict,
                    "{} is in use by another program: choose another path, or stop that program", path);
    if (::unlink(path.c_str()) != 0 && errno != ENOENT)
        return fail_errno(errno, fmt::format("cannot remove the old socket {}", path));
    return {};
}

Status bind_failure(int error, const std::string& path) {
    const auto folder = path.substr(0, path.rfind('/') + 1);
    if (error == ENOENT || error == ENOTDIR)
        return fail(Errc::not_found,
                    "cannot make the socket {}: there is no folder {}: make it, or choose another path", path,
                    folder);
    if (error == EACCES || error == EPERM || error == EROFS)
        return fail(
            Errc::not_allowed,
            "cannot make the socket {}: tunnel-server's user may not write to {}: change its owner, or "
            "choose another path",
            path, folder);
    return fail_errno(error, fmt::format("cannot make the socket {}", path));
}

}  // namespace

awaitable<Result<UniqueFd>> dial_unix(std::string path, Clock::duration limit) {
    const auto address = address_of(path);
    if (!address) co_return pass(address.error());
    const auto end = Clock::now() + limit;
    for (;;) {
        auto fd = stream_socket();
        if (!fd) co_return fail_errno(errno, "cannot open a socket");
        const int error = connect_to(fd.get(), *address);
        if (error == 0) co_return std::move(fd);
        // A non-blocking connect(2) to a full backlog is not under way: it is to be tried again.
        if (error != EAGAIN && error != EINTR)
            co_return fail_errno(error, fmt::format("cannot connect to {}", path));
        if (Clock::now() >= end)
            co_return fail(Errc::timeout, "no answer within {}",
                           format_duration(std::chrono::duration_cast<Millis>(limit)));
        const bool passed = co_await pause_for(full_backlog_pause);
        if (!passed) co_return fail(Errc::closed, "cancelled");
    }
}

UnixListener::UnixListener(std::string path, std::uint64_t device, std::uint64_t inode,
                           std::shared_ptr<ListenSocket> socket)
    : path_(std::move(path)), device_(device), inode_(inode), socket_(std::move(socket)) {}

Result<std::unique_ptr<UnixListener>> UnixListener::open(const std::string& path,
                                                         std::optional<gid_t> group) {
    const auto address = address_of(path);
    if (!address) return pass(address.error());
    auto fd = stream_socket();
    if (!fd) return fail_errno(errno, "cannot open a socket");
    const auto bind_it = [&] {
        return ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) == 0 ? 0
                                                                                                    : errno;
    };
    int error = bind_it();
    if (error == EADDRINUSE) {
        if (auto ok = remove_stale(path, *address); !ok) return pass(std::move(ok.error()));
        error = bind_it();
    }
    if (error == EADDRINUSE)
        return fail(Errc::conflict, "{} is in use by another program: choose another path", path);
    if (error != 0) return pass(bind_failure(error, path).error());
    struct stat made {};
    if (::lstat(path.c_str(), &made) != 0) return fail_errno(errno, fmt::format("cannot look at {}", path));
    std::unique_ptr<UnixListener> listener(
        new UnixListener(path, made.st_dev, made.st_ino, std::make_shared<ListenSocket>(std::move(fd))));
    if (group && ::lchown(path.c_str(), static_cast<uid_t>(-1), *group) != 0)
        return fail_errno(errno, fmt::format("cannot give {} to the group {}", path, *group));
    // Nobody can connect before listen(2). A link put in the path's place meanwhile is not followed.
    if (::fchmodat(AT_FDCWD, path.c_str(), 0660, AT_SYMLINK_NOFOLLOW) != 0)
        return fail_errno(errno, fmt::format("cannot set the mode of {}", path));
    if (::listen(listener->socket()->fd(), backlog) != 0)
        return fail_errno(errno, fmt::format("cannot listen on {}", path));
    return listener;
}

UnixListener::~UnixListener() {
    struct stat now {};
    if (::lstat(path_.c_str(), &now) == 0 && now.st_dev == device_ && now.st_ino == inode_)
        (void)::unlink(path_.c_str());
    socket_->close_now();
}

std::string unix_peer_to_text(int fd) {
    ucred peer{};
    socklen_t size = sizeof peer;
    if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return "unix";
    return fmt::format("unix:pid={},uid={}", peer.pid, peer.uid);
}

}  // namespace tunnel::net
