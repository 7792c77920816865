#pragma once
// One control connection as either end sees it, without I/O: hello and version, frames, who may say what and
// when, and heartbeats. The driver moves bytes between this object and TLS, calls tick() when deadline()
// passes, and ends the connection on the first error. Pings are answered here and never seen by the driver.

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

#include "common/core/clock.hpp"
#include "common/wire/control_messages.hpp"
#include "common/wire/frame.hpp"
#include "common/wire/hello.hpp"

namespace tunnel::wire {

struct HeartbeatTimes {
    Millis interval{10'000};  // a ping is sent this often
    Millis timeout{30'000};   // a peer silent for this long is dead
};

class ControlLink {
  public:
    ControlLink(End our_end, HeartbeatTimes times, TimePoint now);

    // Takes decrypted bytes and appends the messages they complete to `out`. An error is final; `out` then
    // holds the messages that came before it. Errors: version (hello), limit (frame), protocol (anything
    // else).
    Status receive(BytesView bytes, TimePoint now, std::vector<ControlMessage>& out);

    void send(const ControlMessage& message);
    // What is to be written to the peer, in order. Empty when there is nothing.
    Bytes take_output();

    // To be called at deadline() or later. Errc::timeout when the peer has been silent too long.
    Status tick(TimePoint now);
    TimePoint deadline() const;
    void set_times(HeartbeatTimes times, TimePoint now);

    // True once the login was accepted (sent by the server, received by the client).
    bool established() const { return established_; }
    // Of the latest answered ping.
    std::optional<std::chrono::microseconds> round_trip() const { return round_trip_; }

  private:
    Status receive_hello(BytesView& bytes);
    Status take_message(const ControlMessage& message, TimePoint now);
    bool may_send(End sender, const ControlMessage& message) const;
    void take_pong(const Pong& pong, TimePoint now);
    void establish(TimePoint now);

    End our_end_;
    HeartbeatTimes times_;
    FrameReader frames_{max_frame_before_login};
    Bytes hello_;
    Bytes output_;
    bool login_seen_ = false;  // sent by us or received; one connection carries one
    bool established_ = false;
    TimePoint last_received_;
    TimePoint next_ping_;
    std::uint64_t ping_nonce_ = 0;
    std::optional<TimePoint> ping_sent_;  // of the ping that waits for its answer
    std::optional<std::chrono::microseconds> round_trip_;
};

}  // namespace tunnel::wire
