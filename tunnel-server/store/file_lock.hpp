#pragma once
// Keeps a second server away from a store.

#include <filesystem>
#include <utility>

#include "common/core/result.hpp"

namespace tunnel::server {

// An exclusive flock(2) on a file of its own, held until this object goes or the process ends, however it
// ends. The file stays behind when the lock goes: removing it would let two servers lock two files of one
// name. Not on the database itself, because closing any descriptor of that drops SQLite's own fcntl(2) locks.
class FileLock {
  public:
    // Makes the file with mode 0600 when it is not there. Errors: conflict (somebody holds it), io.
    static Result<FileLock> take(const std::filesystem::path& path);

    FileLock(FileLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    FileLock& operator=(FileLock&& other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    ~FileLock();

  private:
    explicit FileLock(int fd) : fd_(fd) {}
    int fd_;
};

}  // namespace tunnel::server
