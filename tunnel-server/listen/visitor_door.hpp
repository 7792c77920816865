#pragma once
// Where visitors come in: the gates of the mapping and its client before anything is allocated, and the PROXY
// header of a proxy in front, which has a deadline and never holds up the accept loop. Workers' threads.

#include <atomic>
#include <functional>
#include <memory>

#include "common/core/log.hpp"
#include "common/net/listener.hpp"
#include "common/net/worker.hpp"
#include "tunnel-server/streams/assignment.hpp"

namespace tunnel::server {

class VisitorDoor {
  public:
    // Runs on the worker that accepted the visitor.
    using Next = std::function<void(net::Worker&, std::shared_ptr<const Route>, Visitor)>;
    VisitorDoor(Log log, Next next) : log_(std::move(log)), next_(std::move(next)) {}

    // A refused visitor is counted by reason and reset. Outlives the workers' tasks.
    void enter(net::Worker& worker, std::shared_ptr<const Route> route, net::Accepted accepted);

    // For the header of a proxy, and how many connections may be without theirs at a time.
    static constexpr Seconds header_limit{5};
    static constexpr unsigned most_without_header = 1024;

  private:
    class Header;
    void admit(net::Worker& worker, std::shared_ptr<const Route> route, Visitor visitor);
    void refuse(const Route& route, const Visitor& visitor, Refusal why, std::string_view detail = {}) const;
    void take(net::Worker& worker, std::shared_ptr<const Route> route, Visitor visitor, Header& header);
    net::awaitable<void> wait_for_header(net::Worker& worker, std::shared_ptr<const Route> route,
                                         Visitor visitor, std::unique_ptr<Header> header);

    Log log_;
    Next next_;
    std::atomic<unsigned> without_header_{0};
};

}  // namespace tunnel::server
