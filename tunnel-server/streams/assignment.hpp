#pragma once
// Visitors, and what belongs to one on its way to a data connection. Values that cross threads.

#include <memory>
#include <optional>

#include "common/core/bytes.hpp"
#include "common/core/ids.hpp"
#include "common/net/asio.hpp"
#include "common/net/socket.hpp"
#include "common/net/unique_fd.hpp"
#include "common/net/unix_socket.hpp"
#include "tunnel-server/mappings/mapping.hpp"
#include "tunnel-server/mappings/route.hpp"

namespace tunnel::server {

// What a proxy in front said in its PROXY header, besides the visitor's address.
struct Announced {
    net::tcp::endpoint local;
    Bytes tlvs;
};

struct Visitor {
    net::UniqueFd fd;
    net::tcp::endpoint peer;
    VisitorPlace place{};
    std::unique_ptr<Announced> announced{};  // null: it came by itself
    Bytes taken{};                           // read of it by a relay that ended unanswered
};

// "203.0.113.7:50312", or who it is on a Unix socket, whose peers have no address.
inline std::string to_text(const Visitor& visitor) {
    return visitor.peer.port() == 0 ? net::unix_peer_to_text(visitor.fd.get()) : net::to_text(visitor.peer);
}
struct ReadyConnection;

// Somebody else than a visitor who needs a data connection: the datagrams of a UDP mapping.
class CarrierRequest {
  public:
    // Destroyed without having been given one, it was refused.
    virtual ~CarrierRequest() = default;
    // Any worker's thread.
    virtual void take(ReadyConnection connection) = 0;
};

// A visitor for whom there is no data connection yet.
struct WaitingVisitor {
    std::shared_ptr<const Route> route;
    Visitor visitor;
    int moves = 0;  // data connections that broke before the client had answered
    bool was_waiting = false;
    std::shared_ptr<CarrierRequest> carrier{};  // instead of a visitor; it never goes to another member
    bool refused = false;                       // by the service, or by the client for it
    Balancer::Members tried{};                  // members of its group that could not serve it
};

// A route whose gates have let a visitor in, and its place there.
struct Admitted {
    std::shared_ptr<const Route> route;
    VisitorPlace place;
};
// For a visitor who has just come by this route, or by that of any member of a group: there, the member whose
// turn it is of the mappings whose gates let it in. Without an address for one who has none.
tl::expected<Admitted, Refusal> admit(const std::shared_ptr<const Route>& route,
                                      const std::optional<IpAddress>& visitor);
tl::expected<Admitted, Refusal> admit(const std::shared_ptr<const Route>& route, const Visitor& visitor);
// For one who has `place` with the member of `route`: another member of the group that is up, of a mapping
// that lets the visitor in. Nothing, and the place as it was, when there is none.
std::optional<Admitted> admit_elsewhere(RouteSet& set, const Route& route, VisitorPlace& place,
                                        const IpAddress& visitor);

// What could not serve a visitor of a group: a member alone, or its client with all members that it has.
enum class Failed { member, client };
// Notes the failure, and sends the visitor to another member of its group that it has not tried yet. False
// when there is none, or no group.
bool next_member(WaitingVisitor& visitor, Failed what, const std::string& reason);
// Whether next_member() would find one now.
bool has_next_member(const WaitingVisitor& visitor);
// Sends a visitor whose client went away to a member of its group that is up. False when there is none.
bool move_to_member_that_is_up(WaitingVisitor& visitor);

// Closes with a reset, so that the visitor knows at once that nobody serves it.
inline void refuse_visitor(Visitor visitor) {
    net::set_reset_on_close(visitor.fd.get(), true);
}

}  // namespace tunnel::server
