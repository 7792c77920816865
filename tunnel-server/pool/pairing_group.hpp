#pragma once
// The pairings of all workers, as the control thread sees them: what happens at the workers comes to it in
// batches, and what it decides goes to the worker concerned.

#include <memory>
#include <mutex>
#include <vector>

#include "common/net/worker.hpp"
#include "tunnel-server/pool/pairing.hpp"

namespace tunnel::server {

// What the workers tell the control thread, on the control thread.
class PairingEvents {
  public:
    virtual void on_notice(const PoolNotice& notice) = 0;
    virtual void on_waiting(WaitingVisitor visitor) = 0;

  protected:
    ~PairingEvents() = default;
};

class PairingGroup {
  public:
    PairingGroup(net::WorkerPool& workers, asio::any_io_executor control, const StreamFailure& on_failure);

    // Before anything arrives.
    void set_events(PairingEvents& events) { events_ = &events; }
    TicketRegistry& tickets() { return tickets_; }
    const PairingCounters& counters() const { return counters_; }
    std::size_t workers() const { return pairings_.size(); }

    // On the worker of that index.
    Pairing& at(std::size_t worker) { return *pairings_[worker]; }

    // Control thread:
    void serve(std::size_t worker, WaitingVisitor visitor, SessionId session);
    void drop(const SeatKey& seat);
    // Has the workers tell at once what they know.
    void hurry();
    void trim(std::size_t worker, const SeatKey& seat, std::size_t count);
    void set_liveness(net::Liveness liveness);
    // Nothing is kept ready any more; what arrives is closed.
    void close();

  private:
    // Runs `call` at a worker's pairing, there.
    template <class Call>
    void at_worker(std::size_t worker, Call call) {
        asio::post(workers_.at(worker).executor(),
                   [pairing = pairings_[worker].get(), call = std::move(call)]() mutable { call(*pairing); });
    }
    template <class Message>
    void tell(std::vector<Message>& inbox, std::vector<Message> messages);
    void deliver();

    net::WorkerPool& workers_;
    asio::any_io_executor control_;
    PairingEvents* events_ = nullptr;
    TicketRegistry tickets_;
    PairingCounters counters_;
    std::vector<std::unique_ptr<Pairing>> pairings_;

    std::mutex mutex_;
    bool delivery_posted_ = false;
    std::vector<PoolNotice> notices_;
    std::vector<WaitingVisitor> waiting_;
};

}  // namespace tunnel::server
