#include "common/net/worker.hpp"

#include <sched.h>

#include <algorithm>

#include "common/net/deadline.hpp"
#include "common/net/hop.hpp"

namespace tunnel::net {

namespace {

// How exactly visitors' limits of time are kept to.
constexpr Millis overdue_check{500};

// What this process may use, which in a container is less than the machine has.
unsigned usable_cores() {
    cpu_set_t set;
    CPU_ZERO(&set);
    if (::sched_getaffinity(0, sizeof set, &set) == 0) {
        if (const int count = CPU_COUNT(&set); count > 0) return static_cast<unsigned>(count);
    }
    return 1;
}

// For what carried connections have written and the network has not taken yet.
constexpr Seconds bridge_limit{2};

awaitable<void> end_tasks(Worker& worker, std::shared_ptr<asio::steady_timer> ended,
                          asio::any_io_executor home) {
    worker.tasks().cancel();
    co_await worker.tasks().join();
    // Each ends in a turn that is queued before this one goes on.
    worker.relays().abort_all(RelayEnd::drained);
    co_await asio::post(asio::use_awaitable);
    {
        const Deadline deadline(worker.executor(), bridge_limit, [&worker] { worker.bridges().cancel(); });
        co_await worker.bridges().join();
    }
    asio::post(home, [ended] { ended->cancel(); });
}

void report_bug(const Log& log, const std::exception& bug) {
    log.error("bug in a task", {{"what", bug.what()}});
}

}  // namespace

Worker::Worker(unsigned index, Log log, KernelTls kernel_tls)
    : index_(index),
      log_(std::move(log)),
      keep_running_(context_.get_executor()),
      tasks_(context_.get_executor(), [log = log_](const std::exception& bug) { report_bug(log, bug); }),
      bridges_(context_.get_executor(), [log = log_](const std::exception& bug) { report_bug(log, bug); }),
      kernel_tls_{std::move(kernel_tls)} {}

Worker::~Worker() {
    join();
}

awaitable<void> Worker::watch_for_dead_peers() {
    for (;;) {
        const Millis timeout(dead_after_ms_.load());
        const bool passed = co_await pause_for(std::max<Millis>(timeout / 6, Millis(200)));
        if (!passed) co_return;
        relays_.abort_dead(timeout);
    }
}

awaitable<void> Worker::tend_relays() {
    for (;;) {
        const bool passed = co_await pause_for(overdue_check);
        if (!passed) co_return;
        relays_.tend(Clock::now());
        ciphers_.wipe_unused();
    }
}

void Worker::start() {
    tasks_.spawn(tend_relays());
    tasks_.spawn(watch_for_dead_peers());
    thread_ = std::thread([this] { context_.run(); });
}

void Worker::join() {
    keep_running_.reset();
    if (thread_.joinable()) thread_.join();
}

RecordLayers make_record_layers(Worker& worker, tls::DirectionKeys seal, tls::DirectionKeys open) {
    RecordLayers layers{tls::RecordSealer(worker.ciphers(), seal), tls::RecordOpener(worker.ciphers(), open),
                        nullptr};
    // The keys stay in memory only where the kernel may be given them.
    if (worker.kernel_tls().available() && seal.cipher() == Cipher::aes_128_gcm)
        layers.keys.reset(new RecordKeys{std::move(seal), std::move(open)});
    return layers;
}

WorkerPool::WorkerPool(unsigned count, const Log& log, const KernelTls& kernel_tls) {
    if (count == 0) count = usable_cores();
    for (unsigned i = 0; i < count; ++i) workers_.push_back(std::make_unique<Worker>(i, log, kernel_tls));
}

Worker& WorkerPool::next() {
    return *workers_[next_++ % workers_.size()];
}

void WorkerPool::start() {
    for (auto& worker : workers_) worker->start();
}

void WorkerPool::set_liveness(Liveness liveness) {
    for (auto& worker : workers_) worker->set_dead_after(liveness.timeout);
}

awaitable<void> WorkerPool::stop() {
    const auto home = co_await asio::this_coro::executor;
    for (auto& worker : workers_) {
        auto ended = std::make_shared<asio::steady_timer>(home, asio::steady_timer::time_point::max());
        spawn_unowned(worker->executor(), end_tasks(*worker, ended, home));
        co_await ended->async_wait(use_result);
    }
    for (auto& worker : workers_) worker->join();
}

awaitable<std::size_t> WorkerPool::running_relays() {
    std::size_t count = 0;
    for (auto& worker : workers_) {
        auto* const target = worker.get();
        auto pending = ask(target->executor(), [target] { return target->relays().size(); });
        count += co_await std::move(pending);
    }
    co_return count;
}

awaitable<void> WorkerPool::abort_relays(RelayEnd reason) {
    for (auto& worker : workers_) {
        auto* const target = worker.get();
        auto pending = ask(target->executor(), [target, reason] { target->relays().abort_all(reason); });
        co_await std::move(pending);
    }
}

}  // namespace tunnel::net
