#pragma once
// HTTP CONNECT (RFC 9110 section 9.3.6): asking a proxy for a connection, with a user and password (RFC 7617,
// Basic) or without. After a good answer the connection carries the bytes of both ends and nothing else.

#include <string_view>

#include "common/core/address.hpp"
#include "common/core/secret.hpp"
#include "common/wire/http_head.hpp"

namespace tunnel::wire {

// `user` is empty for none. Holds the password.
Secret connect_request(const HostPort& target, std::string_view user, const Secret& password);

// Errors say what the proxy refused and what to do.
Status judge_connect_response(const HttpResponse& response, const HostPort& target, bool with_login);

}  // namespace tunnel::wire
