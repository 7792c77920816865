#pragma once
// Where the frames go that come from the other end, by whichever way.

#include "common/wire/datagram_frame.hpp"

namespace tunnel::net {

class FrameSink {
  public:
    // A frame of kind datagram, first or closed. Its payload is valid until the next on_batch_end().
    virtual void on_frame(const wire::DatagramFrame& frame) = 0;
    // What came together has been handed over.
    virtual void on_batch_end() = 0;

  protected:
    ~FrameSink() = default;
};

}  // namespace tunnel::net
