#pragma once
// A speed that many relays share, and how a direction of a relay keeps to it: it leases bytes before it reads
// them, and where there are none it stays unread until its turn comes.

#include <array>
#include <atomic>
#include <functional>
#include <list>
#include <memory>

#include "common/core/token_bucket.hpp"
#include "common/net/asio.hpp"

namespace tunnel::net {

// Of one mapping or client, in one direction. Any thread; shared by the relays on all workers.
class Bandwidth {
  public:
    using Rate = TokenBucket::Rate;
    Bandwidth() = default;
    explicit Bandwidth(Rate rate) : bucket_(rate) {}

    // Running relays keep to it from their next lease on. {0, 0}: without limit, bytes are counted only.
    void set_rate(Rate rate) { bucket_.set_rate(rate); }
    Rate rate() const { return bucket_.rate(); }
    // For datagrams, which are dropped instead of waiting: false when these bytes are too many.
    bool pass(TimePoint now, std::uint64_t bytes) {
        if (bytes > 0 && bucket_.take(now, bytes, bytes) == 0) return false;
        passed_ += bytes;
        return true;
    }
    // Bytes that were read under it.
    std::uint64_t passed() const { return passed_; }

  private:
    friend class Throttle;
    TokenBucket bucket_;
    std::atomic<std::uint32_t> waiting_{0};  // directions, on all workers
    std::atomic<std::uint64_t> passed_{0};
};

class Throttle;

// Who may limit a relay.
enum class Limiter : std::uint8_t { mapping, client };
constexpr std::size_t limiters = 2;

// The directions of one worker that wait for their turn, in the order in which they came: each that gets one
// goes to the end. One coarse timer for all, which runs only while somebody waits. That worker's thread.
class BandwidthQueue {
  public:
    explicit BandwidthQueue(asio::io_context& context) : timer_(context) {}
    // One round of turns; the timer's, and tests'.
    void tick(TimePoint now);
    std::size_t size() const { return waiting_.size(); }

    static constexpr Millis interval{4};

  private:
    friend class Throttle;
    using Queue = std::list<Throttle*>;
    Queue::iterator add(Throttle& throttle);
    void arm();

    asio::steady_timer timer_;
    Queue waiting_;
    bool armed_ = false;
};

// What one direction may read. That worker's thread.
class Throttle {
  public:
    using Bandwidths = std::array<std::shared_ptr<Bandwidth>, limiters>;
    Throttle(BandwidthQueue& queue, Bandwidths bandwidths);
    Throttle(const Throttle&) = delete;
    Throttle& operator=(const Throttle&) = delete;
    // Gives back what is leased and leaves the queue.
    ~Throttle();

    const Bandwidths& bandwidths() const { return bandwidths_; }

    // Called when its turn has come and allowance() is no longer 0. Destroys no Throttle.
    void on_turn(std::function<void()> handler) { on_turn_ = std::move(handler); }
    // Bytes that may be read now. 0: none are left, and the direction waits for its turn from here on.
    std::size_t allowance(TimePoint now);
    // That many were read. More than was allowed is owed, and taken from the leases that follow.
    void used(std::size_t bytes);
    // The source is empty: what is left of the lease goes to others.
    void rest();

  private:
    friend class BandwidthQueue;
    bool lease(TimePoint now);
    bool others_wait() const;
    void wait();
    void stop_waiting();

    BandwidthQueue& queue_;
    Bandwidths bandwidths_;
    std::function<void()> on_turn_;
    std::size_t leased_ = 0;
    std::size_t owed_ = 0;
    bool waiting_ = false;
    BandwidthQueue::Queue::iterator place_{};
};

}  // namespace tunnel::net
