#include "common/config/files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <span>
#include <utility>

#include "common/config/paths.hpp"
#include "common/core/secret.hpp"

namespace tunnel::config {

namespace {

// This layer stands below common/net, whose UniqueFd does the same for sockets.
class File {
  public:
    explicit File(int fd) : fd_(fd) {}
    File(const File&) = delete;
    File& operator=(const File&) = delete;
    ~File() {
        if (fd_ >= 0) ::close(fd_);
    }
    int get() const { return fd_; }
    bool open() const { return fd_ >= 0; }

  private:
    int fd_;
};

// A temporary file that is gone unless it was renamed.
class TemporaryName {
  public:
    explicit TemporaryName(std::string path) : path_(std::move(path)) {}
    TemporaryName(const TemporaryName&) = delete;
    TemporaryName& operator=(const TemporaryName&) = delete;
    ~TemporaryName() {
        if (!path_.empty()) ::unlink(path_.c_str());
    }
    const std::string& path() const { return path_; }
    void renamed() { path_.clear(); }

  private:
    std::string path_;
};

Status write_all(int fd, std::string_view contents, const std::string& path) {
    while (!contents.empty()) {
        const auto written = ::write(fd, contents.data(), contents.size());
        if (written < 0) {
            if (errno == EINTR) continue;
            return fail_errno(errno, fmt::format("cannot write {}", path));
        }
        contents.remove_prefix(static_cast<std::size_t>(written));
    }
    return {};
}

Status sync_folder(const std::string& folder) {
    const File file(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    // Some file systems cannot sync a folder (EINVAL); the file itself is safe by then.
    if (!file.open() || (::fsync(file.get()) != 0 && errno != EINVAL))
        return fail_errno(errno, fmt::format("cannot sync the folder {}", folder));
    return {};
}

Status put_in_place(TemporaryName& temporary, const std::string& path, Overwrite overwrite) {
    if (overwrite == Overwrite::yes) {
        if (::rename(temporary.path().c_str(), path.c_str()) != 0)
            return fail_errno(errno, fmt::format("cannot replace {}", path));
        temporary.renamed();
        return {};
    }
    // link(2) refuses an existing name, which rename(2) would replace.
    if (::link(temporary.path().c_str(), path.c_str()) == 0) return {};
    if (errno == EEXIST)
        return fail(Errc::exists, "{} exists already and stays as it is: remove it first to replace it",
                    path);
    return fail_errno(errno, fmt::format("cannot create {}", path));
}

}  // namespace

Result<std::string> read_file(const std::string& path, std::size_t limit) {
    // Opening a FIFO without O_NONBLOCK would wait for a writer.
    const File file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!file.open()) {
        if (errno == ENOENT) return fail(Errc::not_found, "{} does not exist", path);
        return fail_errno(errno, fmt::format("cannot open {}", path));
    }
    struct stat facts {};
    if (::fstat(file.get(), &facts) != 0) return fail_errno(errno, fmt::format("cannot read {}", path));
    if (S_ISDIR(facts.st_mode)) return fail_errno(EISDIR, fmt::format("cannot read {}", path));

    // Grown to its final size at once: a string that reallocates leaves copies of a secret behind.
    const auto expected = facts.st_size > 0 ? static_cast<std::size_t>(facts.st_size) : 4096;
    std::string text;
    text.reserve(std::min(expected, limit) + 1);
    std::array<char, 16384> chunk;
    const auto wiped = [&](auto failure) {
        wipe(MutableBytes(reinterpret_cast<Byte*>(chunk.data()), chunk.size()));
        wipe(text);
        return failure;
    };
    for (;;) {
        const auto got = ::read(file.get(), chunk.data(), chunk.size());
        if (got == 0) break;
        if (got < 0) {
            if (errno == EINTR) continue;
            return wiped(fail_errno(errno, fmt::format("cannot read {}", path)));
        }
        if (text.size() + static_cast<std::size_t>(got) > limit)
            return wiped(fail(Errc::limit,
                              "{} is too large: at most {} bytes are read; is it the right file?", path,
                              limit));
        text.append(chunk.data(), static_cast<std::size_t>(got));
    }
    wipe(MutableBytes(reinterpret_cast<Byte*>(chunk.data()), chunk.size()));
    return text;
}

Status make_private_folder(const std::string& path) {
    struct stat facts {};
    if (::stat(path.c_str(), &facts) == 0) {
        if (S_ISDIR(facts.st_mode)) return {};
        return fail_errno(ENOTDIR, fmt::format("cannot use {} as a folder", path));
    }
    if (errno != ENOENT) return fail_errno(errno, fmt::format("cannot look at the folder {}", path));
    std::string trimmed = path;
    while (trimmed.size() > 1 && trimmed.back() == '/') trimmed.pop_back();
    const auto parent = folder_of(trimmed);
    if (parent != trimmed && parent != ".") {
        if (auto made = make_private_folder(parent); !made) return made;
    }
    if (::mkdir(trimmed.c_str(), 0700) != 0 && errno != EEXIST)
        return fail_errno(errno, fmt::format("cannot create the folder {}", path));
    return {};
}

Status write_private_file(const std::string& path, std::string_view contents, Overwrite overwrite,
                          mode_t mode) {
    // Random, so that a temporary file left by a crash never stands in the way of the next try.
    TemporaryName temporary(fmt::format("{}.{:016x}.tmp", path, random_u64()));
    {
        const File file(
            ::open(temporary.path().c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
        if (!file.open()) {
            const int reason = errno;
            temporary.renamed();
            return fail_errno(reason, fmt::format("cannot create a file in {}", folder_of(path)));
        }
        if (auto written = write_all(file.get(), contents, path); !written) return written;
        if (::fchmod(file.get(), mode) != 0 || ::fsync(file.get()) != 0)
            return fail_errno(errno, fmt::format("cannot write {}", path));
    }
    if (auto placed = put_in_place(temporary, path, overwrite); !placed) return placed;
    return sync_folder(folder_of(path));
}

bool readable_by_others(const std::string& path) {
    struct stat facts {};
    return ::stat(path.c_str(), &facts) == 0 && (facts.st_mode & (S_IRGRP | S_IROTH)) != 0;
}

}  // namespace tunnel::config
