#pragma once
// Sentences for people on their way to the wire.

#include <string_view>

namespace tunnel::wire {

// The longest beginning of `text` of at most `max_size` bytes that splits no UTF-8 character: Protobuf
// refuses a message whose text is not UTF-8, and with it the whole connection.
constexpr std::string_view cut_text(std::string_view text, std::size_t max_size) {
    if (text.size() <= max_size) return text;
    std::size_t size = max_size;
    const auto inside_character = [&] { return (static_cast<unsigned char>(text[size]) & 0xc0) == 0x80; };
    while (size > 0 && inside_character()) --size;
    return text.substr(0, size);
}

}  // namespace tunnel::wire
