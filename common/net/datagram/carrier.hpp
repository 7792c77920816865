#pragma once
// A data connection that carries the datagrams of many flows, as frames one after the other, in encrypted
// records or as they are. What is queued while the connection takes no more is bounded: beyond that the
// newest datagram is dropped, since one that comes late is worth less than its place.
//
// Driven by the worker's EventSet; no coroutine, no timer. One worker's thread. Owner: whoever knows the way
// the flows go; it lets the carrier go by retire().

#include <memory>
#include <optional>
#include <string>

#include "common/core/buffer.hpp"
#include "common/net/datagram/frame_sink.hpp"
#include "common/net/event_set.hpp"
#include "common/net/relay/relay.hpp"
#include "common/net/unique_fd.hpp"

namespace tunnel::net {

// What comes on the connection before the frames.
class CarrierHead {
  public:
    virtual ~CarrierHead() = default;
    // Takes its own bytes off the front. True when it is complete, false when it lacks some.
    virtual Result<bool> take(BytesView& bytes) = 0;
};

// Memory that a worker's carriers share for reading. One thread.
struct CarrierBuffers {
    Buffer received{std::size_t{256} * 1024};
    Buffer opened{std::size_t{256} * 1024};
};

class Carrier final : EventSet::Handler {
  public:
    // Of bytes that the connection has not taken.
    static constexpr std::size_t most_queued = 1024 * 1024;

    class Owner : public FrameSink {
      public:
        // Once: the connection ended or broke, and takes nothing any more.
        virtual void on_carrier_closed(Carrier& carrier, const Error& reason) = 0;

      protected:
        ~Owner() = default;
    };

    // Without record layers frames travel as they are. `head` may be null.
    Carrier(EventSet& events, CarrierBuffers& buffers, UniqueFd fd, std::optional<RecordLayers> records,
            std::unique_ptr<CarrierHead> head, Owner& owner);
    Carrier(const Carrier&) = delete;
    Carrier& operator=(const Carrier&) = delete;
    ~Carrier();

    // Registers it; frames may come from now on, in turns of their own: first of what was read of it before,
    // no more than `received` holds. errno, or 0.
    int start(Bytes begun = {});
    // False when it is dropped.
    bool queue(const wire::DatagramFrame& frame);
    // Sends what is queued, as much as the connection takes; the rest follows by itself.
    void flush();
    bool closed() const { return closed_; }
    int fd() const { return fd_.get(); }

    // Closes the connection and destroys the carrier once no event of this turn can reach it.
    static void retire(asio::io_context& context, std::unique_ptr<Carrier> carrier);

  private:
    void on_events(std::uint32_t events) override;
    void read();
    // False when it has ended with that.
    bool received(MutableBytes bytes);
    Status take(MutableBytes bytes);
    Status take_records(MutableBytes bytes);
    Status take_frames(BytesView bytes);
    Status seal_queued();
    bool send_some();
    void fail(const Error& reason);
    void close();
    std::size_t queued() const { return frames_.size() + out_.size() - sent_; }

    EventSet& events_;
    CarrierBuffers& buffers_;
    UniqueFd fd_;
    std::optional<RecordLayers> records_;
    std::unique_ptr<CarrierHead> head_;
    Owner& owner_;
    wire::DatagramReader reader_;
    Bytes begun_;   // read before this was there
    Bytes held_;    // of a record that is incomplete
    Bytes frames_;  // queued, not sealed yet
    Bytes out_;     // to be sent, from sent_ on
    std::size_t sent_ = 0;
    bool writable_ = true;
    bool closed_ = false;
    bool watched_ = false;
};

}  // namespace tunnel::net
