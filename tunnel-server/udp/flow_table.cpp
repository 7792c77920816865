#include "tunnel-server/udp/flow_table.hpp"

namespace tunnel::server {

namespace {

// Moving a flow to the end of the list for each datagram would cost more than it is worth.
constexpr Millis precise_enough{250};

}  // namespace

Flow* FlowTable::find(std::size_t socket, const net::udp::endpoint& visitor) {
    const auto found = by_visitor_.find({socket, visitor});
    return found == by_visitor_.end() ? nullptr : &*found->second;
}

Flow* FlowTable::find(std::uint32_t id) {
    const auto found = by_id_.find(id);
    return found == by_id_.end() ? nullptr : &*found->second;
}

Flow& FlowTable::add(std::size_t socket, const net::udp::endpoint& visitor, TimePoint now) {
    do ++last_id_;
    while (last_id_ == 0 || by_id_.contains(last_id_));
    auto& flow = unanswered_.emplace_back();
    flow.id = last_id_;
    flow.socket = socket;
    flow.visitor = visitor;
    flow.begun = flow.last = now;
    const auto at = std::prev(unanswered_.end());
    by_visitor_.emplace(Key{socket, visitor}, at);
    by_id_.emplace(flow.id, at);
    return flow;
}

void FlowTable::touch(Flow& flow, TimePoint now) {
    if (now - flow.last < precise_enough) return;
    flow.last = now;
    auto& list = list_of(flow.answered);
    list.splice(list.end(), list, by_id_.at(flow.id));
}

void FlowTable::note_answer(Flow& flow) {
    if (flow.answered) return;
    flow.answered = true;
    answered_.splice(answered_.end(), unanswered_, by_id_.at(flow.id));
}

Flow* FlowTable::least_recent(bool answered) {
    auto& list = list_of(answered);
    return list.empty() ? nullptr : &list.front();
}

Flow* FlowTable::any() {
    return least_recent(unanswered_.empty());
}

std::vector<Flow*> FlowTable::of(const ClientWay& way) {
    std::vector<Flow*> flows;
    for (const auto& [id, flow] : by_id_) {
        if (flow->way == &way) flows.push_back(&*flow);
    }
    return flows;
}

void FlowTable::remove(const Flow& flow) {
    const auto at = by_id_.at(flow.id);
    by_visitor_.erase({flow.socket, flow.visitor});
    by_id_.erase(flow.id);
    list_of(at->answered).erase(at);
}

}  // namespace tunnel::server
