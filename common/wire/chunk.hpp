#pragma once
// How the bytes of an unencrypted stream begin when its data connection may carry another one after it: in
// chunks, so that the end of a direction can be told without ending the connection.
//
//   size(2, big-endian)  1 to 32767: so many bytes of the stream follow
//                        0: the end of this direction; what comes after it belongs to nobody yet
//                        65535: no chunks any more. All that follows is the stream as it is, for splice(2),
//                        and its end is the connection's
//
// A direction is in chunks for its first few messages only. Most visitors of the web come and go within them;
// what is bulk, or goes on, is not worth them.

#include <array>
#include <cstddef>
#include <cstdint>

#include "common/core/bytes.hpp"
#include "common/core/result.hpp"

namespace tunnel::wire {

constexpr std::size_t chunk_header_size = 2;
using ChunkHeader = std::array<Byte, chunk_header_size>;

// One direction's headers, as its sender makes them.
class ChunkWriter {
  public:
    // In front of the `size` bytes that go out next, at least one. Not after as_is().
    ChunkHeader header(std::size_t size);
    // In front of nothing: this direction has ended.
    static constexpr ChunkHeader end{0, 0};
    // The last header said that there are no chunks any more.
    bool as_is() const { return as_is_; }

    static constexpr std::size_t most_chunks = 16;
    // A read of this size is bulk.
    static constexpr std::size_t bulk = std::size_t{16} * 1024;

  private:
    std::uint8_t chunks_ = 0;
    bool as_is_ = false;
};

// One direction's headers, taken out again.
class ChunkReader {
  public:
    struct Read {
        std::size_t payload = 0;  // bytes of the stream, now at the front of what was given
        std::size_t after = 0;    // bytes at its back that came after the direction's end
    };
    // What came next on the connection, cut anywhere. Errc::protocol for a header that is none.
    Result<Read> read(MutableBytes bytes);
    bool ended() const { return state_ == State::ended; }
    bool as_is() const { return state_ == State::as_is; }

  private:
    enum class State : std::uint8_t { chunks, ended, as_is };
    State state_ = State::chunks;
    bool half_header_ = false;
    Byte first_ = 0;          // of a header that was cut
    std::uint16_t left_ = 0;  // of the chunk under way
};

}  // namespace tunnel::wire
