#pragma once
// What a person is told when bind(2) or listen(2) refuses a public address. ip(7), capabilities(7).

#include <string_view>

#include "common/core/address.hpp"
#include "common/core/result.hpp"

namespace tunnel::net {

// `address` as it is written in messages, "192.0.2.1:53" or "192.0.2.1:53/udp"; port 0 is the one that the
// system was to choose. Errc::conflict when it is in use, not_allowed without the permission, invalid when
// the host does not have the address.
tl::unexpected<Error> bind_error(int error, std::string_view address, Port port);

}  // namespace tunnel::net
