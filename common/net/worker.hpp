#pragma once
// Worker threads: each has one io_context, and everything its connections share - buffers, pipes, the relays
// that run - without a lock, because a connection never changes thread. Values cross threads by asio::post.

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "common/core/log.hpp"
#include "common/net/asio.hpp"
#include "common/net/relay/relay_table.hpp"
#include "common/net/socket.hpp"
#include "common/net/task_group.hpp"
#include "common/tls/aead_cache.hpp"

namespace tunnel::net {

class Worker {
  public:
    Worker(unsigned index, Log log, KernelTls kernel_tls);
    ~Worker();

    unsigned index() const { return index_; }
    asio::io_context& context() { return context_; }
    asio::any_io_executor executor() { return context_.get_executor(); }

    // Of the worker's own thread only:
    TaskGroup& tasks() { return tasks_; }
    // Those that carry connections of this worker: each ends once both ends of what it carries have, and has
    // a moment more than the other tasks for what it still holds.
    TaskGroup& bridges() { return bridges_; }
    EventSet& events() { return events_; }
    const PipePool& pipes() const { return pipes_; }
    RelayTable& relays() { return relays_; }
    tls::AeadCache& ciphers() { return ciphers_; }
    const KernelTls& kernel_tls() const { return kernel_tls_.support; }
    const Log& log() const { return log_; }

    // Any thread: relays whose data connection's other end is silent for this long are ended.
    void set_dead_after(Millis timeout) { dead_after_ms_ = timeout.count(); }

    void start();
    // After every task has ended; waits for the thread.
    void join();

  private:
    awaitable<void> watch_for_dead_peers();
    awaitable<void> tend_relays();

    unsigned index_;
    Log log_;
    std::atomic<Millis::rep> dead_after_ms_{30'000};
    tls::AeadCache ciphers_;
    asio::io_context context_{1};
    asio::executor_work_guard<asio::io_context::executor_type> keep_running_;
    TaskGroup tasks_;
    TaskGroup bridges_;
    EventSet events_{context_};
    PipePool pipes_;
    ScratchBuffers scratch_;
    BandwidthQueue bandwidth_{context_};
    OpeningQueue openings_{context_};
    const KernelTlsUse kernel_tls_;
    RelayTable relays_{{context_, events_, pipes_, scratch_, bandwidth_, openings_, kernel_tls_}};
    std::thread thread_;
};

// The record layers of one of this worker's data connections.
RecordLayers make_record_layers(Worker& worker, tls::DirectionKeys seal, tls::DirectionKeys open);

class WorkerPool {
  public:
    // count 0: one per core that this process may use.
    WorkerPool(unsigned count, const Log& log, const KernelTls& kernel_tls = KernelTls::off({}));

    std::size_t size() const { return workers_.size(); }
    Worker& at(std::size_t index) { return *workers_[index]; }
    // In turn, for work that any worker can take. One thread: the caller's.
    Worker& next();

    void start();
    void set_liveness(Liveness liveness);
    // Cancels what still runs on each worker, awaits its end, and joins the threads when called back on
    // theirs. To be awaited on a thread that is no worker.
    awaitable<void> stop();

    // Relays running on all workers.
    awaitable<std::size_t> running_relays();
    awaitable<void> abort_relays(RelayEnd reason);

  private:
    std::vector<std::unique_ptr<Worker>> workers_;
    std::size_t next_ = 0;
};

}  // namespace tunnel::net
