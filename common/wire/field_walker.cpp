#include "common/wire/field_walker.hpp"

#include <algorithm>

namespace tunnel::wire {

std::optional<std::uint64_t> FieldWalker::read_varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && !rest_.empty(); shift += 7) {
        const std::uint64_t byte = take(1)[0];
        value |= (byte & 0x7f) << shift;
        if (byte < 0x80) return value;
    }
    return std::nullopt;
}

BytesView FieldWalker::take(std::uint64_t size) {
    const auto taken = rest_.first(static_cast<std::size_t>(std::min<std::uint64_t>(size, rest_.size())));
    rest_ = rest_.subspan(taken.size());
    return taken;
}

std::optional<FieldWalker::Field> FieldWalker::next() {
    enum WireType { varint = 0, fixed64 = 1, delimited = 2, group_start = 3, group_end = 4, fixed32 = 5 };
    const auto tag = read_varint();
    if (!tag) return std::nullopt;
    Field field{*tag >> 3, {}};
    switch (*tag & 7) {
        case varint:
            if (!read_varint()) return std::nullopt;
            return field;
        case fixed64:
            (void)take(8);
            return field;
        case delimited: {
            const auto size = read_varint();
            if (!size) return std::nullopt;
            field.content = take(*size);
            return field;
        }
        case group_start:
        case group_end:
            return field;  // what is inside is walked as if it stood outside
        case fixed32:
            (void)take(4);
            return field;
        default:
            return std::nullopt;
    }
}

}  // namespace tunnel::wire
