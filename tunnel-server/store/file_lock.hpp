#pragma once
// Keeps a second server away from a store.

#include <filesystem>

#include "common/core/result.hpp"
#include "common/net/unique_fd.hpp"

namespace tunnel::server {

// An exclusive flock(2) on a file of its own, held until this object goes or the process ends, however it
// ends. The file stays behind when the lock goes: removing it would let two servers lock two files of one
// name. Not on the database itself, because closing any descriptor of that drops SQLite's own fcntl(2) locks.
class FileLock {
  public:
    // Makes the file with mode 0600 when it is not there. Errors: conflict (somebody holds it), io.
    static Result<FileLock> take(const std::filesystem::path& path);

  private:
    explicit FileLock(net::UniqueFd fd) : fd_(std::move(fd)) {}
    net::UniqueFd fd_;
};

}  // namespace tunnel::server
