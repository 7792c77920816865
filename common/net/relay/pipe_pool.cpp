#include "common/net/relay/pipe_pool.hpp"

#include <fcntl.h>

#include <array>

namespace tunnel::net {

std::optional<Pipe> PipePool::lease() {
    if (leased_ >= limits_.leased) return std::nullopt;
    if (!idle_.empty()) {
        auto pipe = std::move(idle_.back());
        idle_.pop_back();
        ++leased_;
        return pipe;
    }
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_NONBLOCK | O_CLOEXEC) != 0) return std::nullopt;
    Pipe pipe{UniqueFd(ends[0]), UniqueFd(ends[1]), 0, 0};
    // May fail for want of permission or pages; what counts is the size it has.
    (void)::fcntl(pipe.write.get(), F_SETPIPE_SZ, limits_.wanted_size);
    const int size = ::fcntl(pipe.write.get(), F_GETPIPE_SZ);
    if (size < 0 || static_cast<std::size_t>(size) < limits_.useful_size) return std::nullopt;
    pipe.capacity = static_cast<std::size_t>(size);
    ++leased_;
    return pipe;
}

void PipePool::give_back(Pipe pipe) {
    --leased_;
    if (pipe.bytes_inside == 0 && idle_.size() < limits_.kept) idle_.push_back(std::move(pipe));
}

}  // namespace tunnel::net
