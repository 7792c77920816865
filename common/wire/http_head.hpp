#pragma once
// The head of an HTTP/1.1 message (RFC 9112): as much of it as a proxy's answer to CONNECT and a WebSocket
// upgrade need. Bodies are none of its business.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/core/bytes.hpp"
#include "common/core/result.hpp"

namespace tunnel::wire {

constexpr std::size_t max_http_head = std::size_t{16} * 1024;
constexpr std::size_t max_http_fields = 100;

struct HttpField {
    std::string name;
    std::string value;  // without the white space around it
    bool operator==(const HttpField&) const = default;
};

struct HttpFields {
    std::vector<HttpField> all;
    // The first field of that name, in any case; nothing when there is none.
    std::optional<std::string_view> find(std::string_view name) const;
    // Whether a comma-separated list in any field of that name has this element, in any case.
    bool lists(std::string_view name, std::string_view element) const;
    bool operator==(const HttpFields&) const = default;
};

struct HttpRequest {
    std::string method;
    std::string target;
    HttpFields fields;
    bool operator==(const HttpRequest&) const = default;
};

struct HttpResponse {
    unsigned status = 0;  // 100 to 999
    std::string reason;
    HttpFields fields;
    bool operator==(const HttpResponse&) const = default;
};

// How many bytes the head at the beginning of `bytes` has, its empty line included; nothing while it is
// incomplete. Errc::limit once max_http_head bytes hold no whole head.
Result<std::optional<std::size_t>> http_head_size(BytesView bytes);

// `head` is exactly one head. Errc::protocol when it is none of HTTP/1; errors quote nothing of it, since it
// may carry a password.
Result<HttpRequest> parse_http_request(BytesView head);
Result<HttpResponse> parse_http_response(BytesView head);

// Fields are written as they are: no value holds a line break.
std::string to_text(const HttpRequest& request);
std::string to_text(const HttpResponse& response);

}  // namespace tunnel::wire
