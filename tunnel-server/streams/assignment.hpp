#pragma once
// Visitors, and what belongs to one on its way to a data connection. Values that cross threads.

#include <memory>

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
    std::shared_ptr<CarrierRequest> carrier{};  // instead of a visitor
};

// Closes with a reset, so that the visitor knows at once that nobody serves it.
inline void refuse_visitor(Visitor visitor) {
    net::set_reset_on_close(visitor.fd.get(), true);
}

}  // namespace tunnel::server
