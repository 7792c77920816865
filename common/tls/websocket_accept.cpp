#include "common/tls/websocket_accept.hpp"

#include <mbedtls/md.h>

#include <array>
#include <new>

#include "common/core/base64.hpp"

namespace tunnel::tls {

std::string websocket_accept(std::string_view key) {
    constexpr std::string_view suffix = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    const auto text = std::string(key).append(suffix);
    std::array<Byte, 20> digest{};
    const auto* const sha1 = mbedtls_md_info_from_type(MBEDTLS_MD_SHA1);
    // Allocation is the only way in which this can fail.
    if (mbedtls_md(sha1, view_of(text).data(), text.size(), digest.data()) != 0) throw std::bad_alloc();
    return base64_encode(digest);
}

}  // namespace tunnel::tls
