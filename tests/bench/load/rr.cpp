#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include "tests/bench/load/held.hpp"
#include "tests/bench/load/pattern.hpp"
#include "tests/bench/load/verbs.hpp"

namespace tunnel::bench {
namespace {

struct Caller {
    std::vector<std::uint8_t> request;
    std::size_t sent = 0;
    std::size_t received = 0;
    Clock::time_point asked;
};

// Closed loop: each connection has one request under way. A request carries its connection's number and its
// own, so that an answer that belongs to someone else is noticed.
class RequestResponse {
  public:
    RequestResponse(const Options& options, std::size_t connections)
        : options_(options),
          fds_(open_echoing(options.target, connections, Clock::now() + std::chrono::seconds(15))),
          callers_(connections),
          buffer_(options.size) {}

    int run() {
        for (std::size_t i = 0; i < fds_.size(); ++i) {
            callers_[i].request.assign(options_.size, kEcho);
            std::memcpy(callers_[i].request.data() + sizeof serial_, &i, sizeof i);
            poller_.watch(fds_[i], EPOLLIN, i);
        }
        const auto start = Clock::now();
        const auto end = start + std::chrono::duration_cast<Clock::duration>(options_.seconds);
        for (std::size_t i = 0; i < fds_.size(); ++i) ask(i);
        while (Clock::now() < end) {
            for (const auto& event : poller_.wait(10)) turn(event);
        }
        report(Clock::now() - start);
        return 0;
    }

  private:
    void turn(const epoll_event& event) {
        const auto index = event.data.u64;
        if ((event.events & EPOLLOUT) != 0) {
            send_rest(index);
        } else {
            receive(index);
        }
    }

    void ask(std::size_t index) {
        auto& caller = callers_[index];
        ++serial_;
        std::memcpy(caller.request.data(), &serial_, sizeof serial_);
        caller.sent = caller.received = 0;
        caller.asked = Clock::now();
        send_rest(index);
    }

    void send_rest(std::size_t index) {
        auto& caller = callers_[index];
        const auto left = caller.request.size() - caller.sent;
        const ssize_t sent =
            ::send(fds_[index].get(), caller.request.data() + caller.sent, left, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN) die_errno("a request could not be sent");
        const bool was_whole = caller.sent == 0;
        caller.sent += sent < 0 ? 0 : static_cast<std::size_t>(sent);
        const bool whole = caller.sent == caller.request.size();
        if (!whole || !was_whole) poller_.change(fds_[index], whole ? EPOLLIN : EPOLLOUT, index);
    }

    void receive(std::size_t index) {
        auto& caller = callers_[index];
        const auto left = caller.request.size() - caller.received;
        const ssize_t got = ::recv(fds_[index].get(), buffer_.data(), left, 0);
        if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
        if (got < 0) die_errno("a kept connection broke");
        if (got == 0) die("a kept connection was closed");
        const auto count = static_cast<std::size_t>(got);
        if (std::memcmp(buffer_.data(), caller.request.data() + caller.received, count) != 0) {
            die("an answer is not the echo of its request");
        }
        caller.received += count;
        if (caller.received < caller.request.size()) return;
        latencies_.add(Clock::now() - caller.asked);
        ask(index);
    }

    void report(Seconds elapsed) {
        const auto done = static_cast<double>(latencies_.count());
        Json()
            .add("case", "rr")
            .add("connections", std::uint64_t{fds_.size()})
            .add("size", std::uint64_t{options_.size})
            .add("seconds", elapsed.count())
            .add("requests", std::uint64_t{latencies_.count()})
            .add("per_second", done / elapsed.count())
            .add("p50_us", latencies_.percentile_us(0.50))
            .add("p99_us", latencies_.percentile_us(0.99))
            .print();
    }

    const Options& options_;
    std::vector<Fd> fds_;
    std::vector<Caller> callers_;
    std::vector<std::uint8_t> buffer_;
    Poller poller_;
    Latencies latencies_;
    std::uint64_t serial_ = 0;
};

}  // namespace

int run_rr(const Options& options) {
    return RequestResponse(options, options.connections == 0 ? 32 : options.connections).run();
}

}  // namespace tunnel::bench
