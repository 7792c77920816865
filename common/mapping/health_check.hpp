#pragma once
// How a client finds out whether a service can take visitors.

#include <cstdint>
#include <optional>
#include <string>

#include "common/core/clock.hpp"
#include "common/wire/proxy_protocol.hpp"

namespace tunnel {

struct HealthCheck {
    enum class Kind : std::uint8_t {
        none,
        tcp,   // it accepts a connection
        http,  // and answers GET with the expected status
    };
    Kind kind = Kind::none;
    std::string path = "/";
    unsigned status = 0;  // 0: any from 200 to 399
    Millis interval = Seconds(5);
    Millis timeout = Seconds(2);  // of one check
    unsigned rise = 2;            // good checks in a row that bring it up
    unsigned fall = 3;            // bad ones that take it down
    // The mapping's, which its checks begin with as its visitors do; set by read_check() alone.
    std::optional<wire::ProxyVersion> proxy_protocol{};
    bool operator==(const HealthCheck&) const = default;
};

}  // namespace tunnel
