#pragma once
// Length-prefixed frames: a 4-byte big-endian length and that many bytes. Used by the control connection
// (inside TLS) and by the admin API's Unix socket.

#include <cstddef>
#include <optional>

#include "common/core/bytes.hpp"
#include "common/core/result.hpp"

namespace tunnel::wire {

constexpr std::size_t frame_header_size = 4;

// Appends one frame to `out`.
void append_frame(Bytes& out, BytesView payload);

// Cuts a byte stream into frames. When next() is asked until it has nothing after each feed(), it holds at
// most one incomplete frame (`limit` + 4 bytes) and what the latest feed() brought.
class FrameReader {
  public:
    explicit FrameReader(std::size_t limit) : limit_(limit) {}
    void set_limit(std::size_t limit) { limit_ = limit; }

    void feed(BytesView bytes);
    // The next whole frame's payload; nothing while it is incomplete. Errc::limit when a length exceeds the
    // limit, told before anything of that frame is kept; the stream cannot be used after that.
    Result<std::optional<Bytes>> next();

  private:
    std::size_t limit_;
    Bytes buffer_;
    std::size_t consumed_ = 0;
};

}  // namespace tunnel::wire
