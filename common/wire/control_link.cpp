#include "common/wire/control_link.hpp"

#include <algorithm>

namespace tunnel::wire {

ControlLink::ControlLink(End our_end, HeartbeatTimes times, TimePoint now)
    : our_end_(our_end), times_(times), last_received_(now), next_ping_(now + times.interval) {
    append(output_, encode_hello());
}

Status ControlLink::receive(BytesView bytes, TimePoint now, std::vector<ControlMessage>& out) {
    if (bytes.empty()) return {};
    last_received_ = now;
    if (auto ok = receive_hello(bytes); !ok) return ok;
    frames_.feed(bytes);
    for (;;) {
        auto frame = frames_.next();
        if (!frame) return pass(std::move(frame.error()));
        if (!*frame) return {};
        auto message = decode(**frame);
        if (!message) return pass(std::move(message.error()));
        if (auto ok = take_message(*message, now); !ok) return ok;
        if (!std::holds_alternative<Ping>(*message) && !std::holds_alternative<Pong>(*message))
            out.push_back(std::move(*message));
    }
}

Status ControlLink::receive_hello(BytesView& bytes) {
    if (hello_.size() == hello_size) return {};
    const auto part = bytes.first(std::min(bytes.size(), hello_size - hello_.size()));
    append(hello_, part);
    bytes = bytes.subspan(part.size());
    if (hello_.size() < hello_size) return {};
    auto theirs = decode_hello(hello_);
    if (!theirs) return pass(std::move(theirs.error()));
    auto version = agree(our_end_, our_versions, *theirs);
    if (!version) return pass(std::move(version.error()));
    return {};
}

bool ControlLink::may_send(End sender, const ControlMessage& message) const {
    if (std::holds_alternative<Goodbye>(message)) return true;
    if (std::holds_alternative<Ping>(message) || std::holds_alternative<Pong>(message)) return established_;
    if (sender == End::client) {
        if (std::holds_alternative<Login>(message)) return !login_seen_;
        return established_ &&
               (std::holds_alternative<Declare>(message) ||
                std::holds_alternative<MappingObjection>(message) ||
                std::holds_alternative<DialFailed>(message) || std::holds_alternative<HealthReport>(message));
    }
    if (std::holds_alternative<LoginAccepted>(message)) return login_seen_ && !established_;
    return established_ &&
           (std::holds_alternative<MappingStates>(message) || std::holds_alternative<Dial>(message));
}

Status ControlLink::take_message(const ControlMessage& message, TimePoint now) {
    const End sender = our_end_ == End::server ? End::client : End::server;
    if (!may_send(sender, message))
        return fail(Errc::protocol, "the other end sent a {} when that is not its turn", name_of(message));
    if (const auto* ping = std::get_if<Ping>(&message)) send(Pong{ping->nonce});
    if (const auto* pong = std::get_if<Pong>(&message); pong != nullptr) take_pong(*pong, now);
    if (std::holds_alternative<Login>(message)) login_seen_ = true;
    if (std::holds_alternative<LoginAccepted>(message)) establish(now);
    return {};
}

void ControlLink::take_pong(const Pong& pong, TimePoint now) {
    if (!ping_sent_ || pong.nonce != ping_nonce_) return;
    round_trip_ = std::chrono::duration_cast<std::chrono::microseconds>(now - *ping_sent_);
    ping_sent_.reset();
}

void ControlLink::establish(TimePoint now) {
    established_ = true;
    frames_.set_limit(our_end_ == End::server ? max_frame_to_server : max_frame_to_client);
    next_ping_ = now;  // the first one at once, so that the round trip is known early
}

void ControlLink::send(const ControlMessage& message) {
    append_frame(output_, encode(message));
    if (std::holds_alternative<Login>(message)) login_seen_ = true;
    if (std::holds_alternative<LoginAccepted>(message)) establish(last_received_);
}

Bytes ControlLink::take_output() {
    return std::exchange(output_, {});
}

Status ControlLink::tick(TimePoint now) {
    if (now >= last_received_ + times_.timeout)
        return fail(Errc::timeout, "the other end has been silent for {}",
                    format_duration(std::chrono::duration_cast<Millis>(times_.timeout)));
    if (established_ && now >= next_ping_) {
        // An unanswered ping is sent again under its number, so that a round trip longer than the interval is
        // measured too.
        if (!ping_sent_) {
            ++ping_nonce_;
            ping_sent_ = now;
        }
        send(Ping{ping_nonce_});
        next_ping_ = now + times_.interval;
    }
    return {};
}

TimePoint ControlLink::deadline() const {
    const auto silence = last_received_ + times_.timeout;
    return established_ ? std::min(silence, next_ping_) : silence;
}

void ControlLink::set_times(HeartbeatTimes times, TimePoint now) {
    times_ = times;
    next_ping_ = std::min(next_ping_, now + times.interval);
}

}  // namespace tunnel::wire
