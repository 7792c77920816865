#include "common/net/bind_error.hpp"

#include <cerrno>

namespace tunnel::net {

tl::unexpected<Error> bind_error(int error, std::string_view address, Port port) {
    if (error == EADDRINUSE && port == 0)
        return fail(Errc::conflict,
                    "cannot listen on {}: every port that the system chooses from is in use: name a port, or "
                    "widen net.ipv4.ip_local_port_range",
                    address);
    if (error == EADDRINUSE)
        return fail(Errc::conflict,
                    "{} is in use by another program: choose another port, or stop that program", address);
    if (error == EACCES)
        return fail(Errc::not_allowed,
                    "no permission to listen on {}: ports below 1024 need root or CAP_NET_BIND_SERVICE",
                    address);
    if (error == EADDRNOTAVAIL)
        return fail(Errc::invalid, "cannot listen on {}: this host does not have that address", address);
    return fail_errno(error, fmt::format("cannot listen on {}", address));
}

}  // namespace tunnel::net
