#include "tunnel-server/store/file_lock.hpp"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>

namespace tunnel::server {

Result<FileLock> FileLock::take(const std::filesystem::path& path) {
    net::UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!fd) return fail_errno(errno, fmt::format("cannot open {}", path.string()));
    while (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK) return fail(Errc::conflict, "{} is locked", path.string());
        if (errno != EINTR) return fail_errno(errno, fmt::format("cannot lock {}", path.string()));
    }
    return FileLock(std::move(fd));
}

}  // namespace tunnel::server
