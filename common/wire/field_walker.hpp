#pragma once
// Walks the fields of an encoded Protobuf message without building anything, so that the number of entries in
// a list is known before each becomes an object fifty times its size. Encoding:
// https://protobuf.dev/programming-guides/encoding

#include <cstdint>
#include <optional>

#include "common/core/bytes.hpp"

namespace tunnel::wire {

class FieldWalker {
  public:
    // `message` stays the caller's and outlives the walker and what it hands out.
    explicit FieldWalker(BytesView message) : rest_(message) {}

    struct Field {
        std::uint64_t number = 0;
        BytesView content;  // of a nested message or text, cut where the bytes end; else empty
    };
    // Nothing at the end, and nothing where the bytes are malformed: the parser stops there too.
    std::optional<Field> next();

  private:
    std::optional<std::uint64_t> read_varint();
    BytesView take(std::uint64_t size);
    BytesView rest_;
};

}  // namespace tunnel::wire
