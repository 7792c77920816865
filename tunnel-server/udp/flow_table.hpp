#pragma once
// The flows of one public port at one worker: a visitor's address and the socket it came by, for as long as
// datagrams pass. Sans-I/O. References stay valid until their flow goes.

#include <cstdint>
#include <list>
#include <unordered_map>
#include <vector>

#include "common/core/clock.hpp"
#include "common/net/datagram/udp_socket.hpp"
#include "tunnel-server/access/visitor_gate.hpp"

namespace tunnel::server {

class ClientWay;

struct Flow {
    std::uint32_t id = 0;
    std::size_t socket = 0;  // by which the visitor came
    net::udp::endpoint visitor;
    IpAddress local;           // which of our addresses it asked
    Bytes proxy_header;        // before each of its datagrams; empty: none
    ClientWay* way = nullptr;  // to the service
    std::uint64_t told = 0;    // the incarnation of the way's other end that was told of this flow
    int tellings = 0;          // how often
    VisitorPlace place{};
    TimePoint begun{};
    TimePoint last{};
    bool answered = false;
    std::uint64_t datagrams_in = 0;  // from the visitor
    std::uint64_t datagrams_out = 0;
    std::uint64_t bytes_in = 0;
    std::uint64_t bytes_out = 0;
};

// Flows that were never answered are apart from the others: a flood of invented addresses makes many of the
// former and none of the latter.
class FlowTable {
  public:
    Flow* find(std::size_t socket, const net::udp::endpoint& visitor);
    Flow* find(std::uint32_t id);
    // There is none of this visitor.
    Flow& add(std::size_t socket, const net::udp::endpoint& visitor, TimePoint now);
    // A datagram passed, in either direction.
    void touch(Flow& flow, TimePoint now);
    // The service has answered it.
    void note_answer(Flow& flow);
    // Of those that were answered, or of those that were not. Null when there is none.
    Flow* least_recent(bool answered);
    // Of all of them. Null when there is none.
    Flow* any();
    // Those that go this way.
    std::vector<Flow*> of(const ClientWay& way);
    void remove(const Flow& flow);
    std::size_t size() const { return by_id_.size(); }

  private:
    struct Key {
        std::size_t socket;
        net::udp::endpoint visitor;
        bool operator==(const Key&) const = default;
    };
    struct KeyHash {
        std::size_t operator()(const Key& key) const noexcept {
            return net::UdpAddressHash()(key.visitor) + key.socket;
        }
    };
    using Flows = std::list<Flow>;
    // Those to which something happened last stand last.
    Flows& list_of(bool answered) { return answered ? answered_ : unanswered_; }
    Flows answered_;
    Flows unanswered_;
    std::unordered_map<Key, Flows::iterator, KeyHash> by_visitor_;
    std::unordered_map<std::uint32_t, Flows::iterator> by_id_;
    std::uint32_t last_id_ = 0;
};

}  // namespace tunnel::server
