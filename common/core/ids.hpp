#pragma once
// Strong identifiers: a session's id cannot be passed where a connection's is wanted.

#include <compare>
#include <cstdint>
#include <functional>

namespace tunnel {

template <class Tag>
struct Id {
    std::uint64_t value = 0;
    auto operator<=>(const Id&) const = default;
    explicit operator bool() const { return value != 0; }
};

using SessionId =
    Id<struct SessionTag>;  // random, so that one from an earlier run is never taken for a new one
using ConnectionId = Id<struct ConnectionTag>;  // one visitor, counted up from 1 by the server
using TicketNumber = Id<struct TicketTag>;      // counted up from 1 within a session

}  // namespace tunnel

template <class Tag>
struct std::hash<tunnel::Id<Tag>> {
    std::size_t operator()(const tunnel::Id<Tag>& id) const noexcept {
        return std::hash<std::uint64_t>()(id.value);
    }
};
