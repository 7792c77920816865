#include "tests/fuzz/mutator.hpp"

#include <algorithm>
#include <array>
#include <iterator>

namespace tunnel::fuzz {

Bytes Mutator::mutate(Bytes input) {
    for (std::size_t changes = 1 + below(8); changes > 0; --changes) change(input);
    if (input.size() > max_size) input.resize(max_size);
    return input;
}

void Mutator::change(Bytes& input) {
    if (input.empty()) return splice(input);
    switch (below(4)) {
        case 0:
        case 1:
            return overwrite(input);
        case 2:
            return resize(input);
        default:
            return splice(input);
    }
}

// Bits, bytes, and the numbers at which length checks go wrong.
void Mutator::overwrite(Bytes& input) {
    const std::size_t at = below(input.size());
    switch (below(4)) {
        case 0:
            input[at] = static_cast<Byte>(input[at] ^ (1U << below(8)));
            return;
        case 1:
            input[at] = static_cast<Byte>(engine_());
            return;
        case 2: {
            constexpr std::array<Byte, 10> edges{0x00, 0x01, 0x7f, 0x80, 0xff, '"', '\\', ':', ']', '\n'};
            input[at] = edges[below(edges.size())];
            return;
        }
        default: {
            constexpr std::array<std::uint64_t, 8> numbers{
                0, 1, 0x7fff, 0xffff, 0x10000, 0x7fffffff, 0xffffffff, 0xffffffffffffffff};
            std::array<Byte, 8> bytes{};
            put_be64(bytes, numbers[below(numbers.size())]);
            const std::size_t size = std::min(std::size_t{1} << below(4), input.size() - at);
            std::copy(bytes.end() - static_cast<std::ptrdiff_t>(size), bytes.end(),
                      input.begin() + static_cast<std::ptrdiff_t>(at));
        }
    }
}

void Mutator::resize(Bytes& input) {
    const std::size_t at = below(input.size());
    const auto from = input.begin() + static_cast<std::ptrdiff_t>(at);
    const auto size = static_cast<std::ptrdiff_t>(1 + below(std::min<std::size_t>(input.size() - at, 16)));
    switch (below(4)) {
        case 0:
            input.erase(from, from + size);
            return;
        case 1:
            input.insert(from, static_cast<std::size_t>(size), static_cast<Byte>(engine_()));
            return;
        case 2: {
            const Bytes copy(from, from + size);
            input.insert(from, copy.begin(), copy.end());
            return;
        }
        default:
            input.resize(at);
    }
}

// A piece of any input of the corpus goes somewhere into this one.
void Mutator::splice(Bytes& input) {
    const Bytes& other = corpus_[below(corpus_.size())];
    if (other.empty()) return;
    const std::size_t begin = below(other.size());
    const std::size_t size = 1 + below(other.size() - begin);
    const auto first = other.begin() + static_cast<std::ptrdiff_t>(begin);
    const auto at = input.begin() + static_cast<std::ptrdiff_t>(below(input.size() + 1));
    input.insert(at, first, first + static_cast<std::ptrdiff_t>(size));
}

}  // namespace tunnel::fuzz
