#pragma once
// Data connections whose visitor has gone in an orderly way. Each comes back with a preface, as on a new one,
// once its service has gone, too. That worker's thread only.

#include <functional>
#include <list>

#include "common/core/clock.hpp"
#include "common/net/asio.hpp"
#include "common/net/parked_socket.hpp"
#include "common/net/socket.hpp"
#include "common/wire/preface.hpp"
#include "tunnel-server/streams/visitor_stream.hpp"

namespace tunnel::server {

class ReturnedConnections {
  public:
    using PrefaceHandler = std::function<void(Returned, const wire::PrefaceBytes&)>;
    ReturnedConnections(asio::io_context& context, PrefaceHandler on_preface);
    ReturnedConnections(const ReturnedConnections&) = delete;
    ReturnedConnections& operator=(const ReturnedConnections&) = delete;

    // It is closed when its client closes it, after `longest_wait`, or as the oldest of more than `most`.
    void add(Returned connection);
    void clear();
    std::size_t size() const { return waiting_.size(); }

    // A service may take its time to read what is left.
    static constexpr Seconds longest_wait{30};
    static constexpr std::size_t most = 1024;

  private:
    struct Waiting final : net::EventSet::Handler {
        Waiting(ReturnedConnections& in, Returned is) : all(in), connection(std::move(is)) {}
        Waiting(const Waiting&) = delete;
        Waiting& operator=(const Waiting&) = delete;
        // An orderly end, if it is one: the client may still be giving the service what it has got, and would
        // take a reset for a reason to stop.
        ~Waiting() {
            if (connection.socket.fd() >= 0) net::set_reset_on_close(connection.socket.fd(), false);
        }
        void on_events(std::uint32_t) override { all.read(*this); }
        ReturnedConnections& all;
        Returned connection;
        wire::PrefaceBytes preface{};
        std::size_t have = 0;
        TimePoint since{};
        std::list<Waiting>::iterator self{};
    };
    void read(Waiting& waiting);
    // Calls for drop_overdue() when the oldest has waited long enough.
    void schedule();
    void drop_overdue();

    PrefaceHandler on_preface_;
    asio::steady_timer overdue_;
    bool scheduled_ = false;
    std::list<Waiting> waiting_;  // the oldest first
};

}  // namespace tunnel::server
