#pragma once
// Memory of a fixed size whose content nobody has written yet: the system gives a page when it is first
// written to, so that a large buffer weighs no more than was ever used of it. Converts to MutableBytes.

#include <cstddef>
#include <memory>

#include "common/core/bytes.hpp"

namespace tunnel {

class Buffer {
  public:
    explicit Buffer(std::size_t size) : bytes_(new Byte[size]), size_(size) {}

    Byte* data() { return bytes_.get(); }
    Byte* begin() { return bytes_.get(); }
    Byte* end() { return bytes_.get() + size_; }
    std::size_t size() const { return size_; }

  private:
    std::unique_ptr<Byte[]> bytes_;
    std::size_t size_;
};

}  // namespace tunnel
