#include "common/core/result.hpp"

#include <system_error>

namespace tunnel {

std::string_view to_string(Errc code) {
    switch (code) {
        case Errc::invalid:
            return "invalid";
        case Errc::not_found:
            return "not_found";
        case Errc::exists:
            return "exists";
        case Errc::conflict:
            return "conflict";
        case Errc::not_allowed:
            return "not_allowed";
        case Errc::unauthenticated:
            return "unauthenticated";
        case Errc::expired:
            return "expired";
        case Errc::limit:
            return "limit";
        case Errc::timeout:
            return "timeout";
        case Errc::closed:
            return "closed";
        case Errc::protocol:
            return "protocol";
        case Errc::version:
            return "version";
        case Errc::unavailable:
            return "unavailable";
        case Errc::io:
            return "io";
        case Errc::internal:
            return "internal";
    }
    return "internal";
}

tl::unexpected<Error> fail_errno(int sys_errno, std::string_view what) {
    return tl::unexpected<Error>(
        Error{Errc::io, fmt::format("{}: {}", what, std::generic_category().message(sys_errno)), sys_errno});
}

}  // namespace tunnel
