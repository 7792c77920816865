#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include "tests/bench/load/pattern.hpp"
#include "tests/bench/load/stats.hpp"
#include "tests/bench/load/verbs.hpp"

namespace tunnel::bench {
namespace {

constexpr auto kPatience = std::chrono::seconds(5);  // a connection that takes longer counts as lost

struct Visit {
    Fd fd;
    bool asked = false;
    Clock::time_point began;
};

// `parallel` visitors, each again and again: connect, send a byte, receive it, close.
class Visitors {
  public:
    Visitors(const Options& options, std::size_t parallel, std::size_t most)
        : options_(options), most_(most), visits_(parallel) {}

    int run() {
        const auto start = Clock::now();
        const auto end = start + std::chrono::duration_cast<Clock::duration>(options_.seconds);
        for (std::size_t i = 0; i < visits_.size(); ++i) begin(i);
        auto next_look = start + kPatience;
        while (Clock::now() < end && latencies_.count() < most_) {
            for (const auto& event : poller_.wait(10)) turn(event.data.u64);
            if (Clock::now() < next_look) continue;
            next_look = Clock::now() + std::chrono::milliseconds(200);
            check_patience();
        }
        report(Clock::now() - start);
        return 0;
    }

  private:
    void begin(std::size_t index) {
        auto& visit = visits_[index];
        visit.asked = false;
        visit.began = Clock::now();
        visit.fd = start_connect(options_.target, turn_++);
        if (!visit.fd.valid()) die_errno("connection " + std::to_string(turn_) + " failed");
        poller_.watch(visit.fd, EPOLLOUT, index);
    }

    void turn(std::size_t index) {
        auto& visit = visits_[index];
        if (!visit.asked) {
            if (const int error = connect_result(visit.fd); error != 0) {
                die(std::string("a connection failed: ") + std::strerror(error));
            }
            if (::send(visit.fd.get(), &kEcho, 1, MSG_NOSIGNAL) != 1) die_errno("a connection took no byte");
            visit.asked = true;
            poller_.change(visit.fd, EPOLLIN, index);
            return;
        }
        std::uint8_t byte = 0;
        const ssize_t got = ::recv(visit.fd.get(), &byte, 1, 0);
        if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
        if (got < 0) die_errno("a connection broke before it echoed a byte");
        if (got == 0) die("a connection was closed before it echoed a byte");
        if (byte != kEcho) die("a connection answered with a wrong byte");
        latencies_.add(Clock::now() - visit.began);
        visit.fd.reset();
        begin(index);
    }

    void check_patience() const {
        for (const auto& visit : visits_) {
            if (Clock::now() - visit.began > kPatience) die("a connection had no answer for 5 s");
        }
    }

    void report(Seconds elapsed) {
        if (latencies_.count() == 0) die("no connection was answered in time");
        Json()
            .add("case", options_.verb)
            .add("parallel", std::uint64_t{visits_.size()})
            .add("seconds", elapsed.count())
            .add("connections", std::uint64_t{latencies_.count()})
            .add("per_second", static_cast<double>(latencies_.count()) / elapsed.count())
            .add("p50_us", latencies_.percentile_us(0.50))
            .add("p99_us", latencies_.percentile_us(0.99))
            .print();
    }

    const Options& options_;
    std::size_t most_;
    std::vector<Visit> visits_;
    Poller poller_;
    Latencies latencies_;
    std::uint32_t turn_ = 0;
};

}  // namespace

int run_connect(const Options& options) {
    const std::size_t parallel = options.connections == 0 ? 16 : options.connections;
    return Visitors(options, parallel, ~std::size_t{0}).run();
}

int run_first_byte(const Options& options) {
    return Visitors(options, 1, options.samples).run();
}

}  // namespace tunnel::bench
