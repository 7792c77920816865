#pragma once
// Carries one connection inside WebSocket: joins the local end of a LoopbackPair with a OuterStream on which
// the upgrade is done. What the carried connection promises holds across it: the end of a direction is passed
// on and the other goes on; whatever else ends the outer stream is a reset for the local end, and a local
// reset one for the outer stream; a slow reader slows its writer down (at most some 100 KiB wait here in each
// direction).
//
// Each end pings the other, so that nothing on the way takes an idle connection for a dead one, and gives a
// silent one up.

#include <optional>

#include "common/net/outer_stream.hpp"
#include "common/net/socket.hpp"
#include "common/wire/websocket.hpp"

namespace tunnel::net {

class WebSocketBridge {
  public:
    // The interval is cut to 25 s, below what web servers allow an idle connection.
    WebSocketBridge(OuterStream outer, UniqueFd local, wire::End our_end, Liveness liveness);
    WebSocketBridge(const WebSocketBridge&) = delete;
    WebSocketBridge& operator=(const WebSocketBridge&) = delete;

    // Returns once both directions have ended and all has left, or with the reason why it broke. Cancelled,
    // it resets both.
    awaitable<Status> run();

  private:
    awaitable<void> read_outer();
    awaitable<void> read_local();
    awaitable<void> write_outer();
    awaitable<void> keep_alive();
    // Tells of a reset while nobody reads.
    awaitable<void> watch(Descriptor& socket, std::string_view whose);

    awaitable<bool> take_input(wire::WebSocketInput input);
    void send(wire::WebSocketOpcode opcode, BytesView payload);
    void queue(BytesView frame);
    std::optional<wire::WebSocketMask> mask() const;
    void say_goodbye();
    void finish();
    void fail_with(Error error);

    wire::End our_end_;
    Liveness liveness_;
    OuterStream outer_;
    Descriptor local_;
    wire::WebSocketReader reader_;
    Bytes outgoing_;           // not yet given to the outer's socket
    asio::steady_timer more_;  // cancelled when outgoing_ is no longer empty
    asio::steady_timer room_;  // cancelled when it is empty again
    asio::steady_timer tick_;
    TimePoint heard_;
    bool reading_ = true;  // the outer; not while the local end takes no more
    bool local_ended_ = false;
    bool outer_ended_ = false;
    bool done_ = false;
    std::optional<TimePoint> goodbye_;  // ours is said; the deadline for its leaving, then for the peer's
    bool flushed_ = false;
    bool peer_gone_ = false;
    std::optional<Error> failure_;
};

}  // namespace tunnel::net
