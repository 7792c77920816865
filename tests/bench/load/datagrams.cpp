#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "tests/bench/load/datagram_batch.hpp"
#include "tests/bench/load/pattern.hpp"
#include "tests/bench/load/stats.hpp"
#include "tests/bench/load/verbs.hpp"

namespace tunnel::bench {
namespace {

// A datagram without an answer is given up as lost after this time, and another takes its place.
constexpr auto kPatience = std::chrono::milliseconds(250);
constexpr std::uint64_t kSocketTag = 0;
constexpr std::uint64_t kStdinTag = 1;

// Closed loop: each flow has so many datagrams under way. A datagram carries its flow, its place among those
// under way and its own number, and the rest of it follows from that number, so that an answer that belongs
// to someone else or was altered is noticed.
class DatagramLoop {
  public:
    explicit DatagramLoop(const Options& options)
        : options_(options), pattern_(make_pattern()), datagram_(options.size) {
        for (std::uint32_t i = 0; i < options.flows; ++i) {
            Fd fd(::socket(options.target.address.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
            if (!fd.valid()) die_errno("a socket could not be opened");
            widen(fd);
            const auto* address = reinterpret_cast<const sockaddr*>(&options.target.address);
            if (::connect(fd.get(), address, options.target.length) != 0) die_errno("the target");
            poller_.watch(fd, EPOLLIN, i);
            flows_.push_back({std::move(fd), std::vector<Slot>(options.in_flight)});
        }
    }

    int run() {
        const auto start = Clock::now();
        const auto end = start + std::chrono::duration_cast<Clock::duration>(options_.seconds);
        auto looked = start;
        for (std::size_t flow = 0; flow < flows_.size(); ++flow) {
            for (std::size_t slot = 0; slot < options_.in_flight; ++slot) ask(flow, slot, start);
        }
        for (auto now = start; now < end; now = Clock::now()) {
            for (const auto& event : poller_.wait(20)) receive(event.data.u64);
            if (now - looked < kPatience / 10) continue;
            looked = now;
            // Not `now`, which is from before the wait.
            give_up(Clock::now());
        }
        report(Clock::now() - start);
        return 0;
    }

  private:
    struct Slot {
        std::uint64_t serial = 0;
        Clock::time_point asked;
    };
    struct Flow {
        Fd fd;
        std::vector<Slot> slots;
    };
    struct Head {
        std::uint32_t flow;
        std::uint32_t slot;
        std::uint64_t serial;
    };

    const std::uint8_t* rest_of(std::uint64_t serial) const {
        return pattern_->data() + serial * 977 % (kPatternSize - kLargestDatagram);
    }

    void ask(std::size_t flow, std::size_t slot, Clock::time_point now) {
        const Head head{static_cast<std::uint32_t>(flow), static_cast<std::uint32_t>(slot), ++serial_};
        std::memcpy(datagram_.data(), &head, sizeof head);
        std::memcpy(datagram_.data() + sizeof head, rest_of(serial_), datagram_.size() - sizeof head);
        flows_[flow].slots[slot] = {serial_, now};
        ++sent_;
        (void)::send(flows_[flow].fd.get(), datagram_.data(), datagram_.size(), MSG_NOSIGNAL);
    }

    void receive(std::size_t flow) {
        const auto count = batch_.receive(flows_[flow].fd);
        const auto now = Clock::now();
        for (std::size_t i = 0; i < count; ++i) take(flow, batch_.at(i), now);
    }

    void take(std::size_t flow, std::span<const std::uint8_t> bytes, Clock::time_point now) {
        Head head{};
        if (bytes.size() != options_.size) die("an answer has another size than its datagram");
        std::memcpy(&head, bytes.data(), sizeof head);
        if (head.flow != flow || head.slot >= options_.in_flight || head.serial > serial_ ||
            std::memcmp(bytes.data() + sizeof head, rest_of(head.serial), bytes.size() - sizeof head) != 0)
            die("an answer is not the echo of a datagram of its flow");
        auto& slot = flows_[flow].slots[head.slot];
        // One that was given up comes late.
        if (slot.serial != head.serial) return;
        latencies_.add(now - slot.asked);
        ask(flow, head.slot, now);
    }

    void give_up(Clock::time_point now) {
        for (std::size_t flow = 0; flow < flows_.size(); ++flow) {
            for (std::size_t slot = 0; slot < options_.in_flight; ++slot) {
                if (now - flows_[flow].slots[slot].asked < kPatience) continue;
                ++lost_;
                ask(flow, slot, now);
            }
        }
    }

    void report(Seconds elapsed) {
        const auto done = static_cast<double>(latencies_.count());
        Json()
            .add("case", "udp-rr")
            .add("flows", std::uint64_t{flows_.size()})
            .add("size", std::uint64_t{options_.size})
            .add("seconds", elapsed.count())
            .add("round_trips", std::uint64_t{latencies_.count()})
            .add("per_second", done / elapsed.count())
            .add("lost", lost_)
            .add("sent", sent_)
            .add("p50_us", latencies_.percentile_us(0.50))
            .add("p99_us", latencies_.percentile_us(0.99))
            .print();
    }

    const Options& options_;
    std::unique_ptr<Pattern> pattern_;
    std::vector<std::uint8_t> datagram_;
    std::vector<Flow> flows_;
    DatagramBatch batch_;
    Poller poller_;
    Latencies latencies_;
    std::uint64_t serial_ = 0;
    std::uint64_t sent_ = 0;
    std::uint64_t lost_ = 0;
};

}  // namespace

int run_udp_service(const Options& options) {
    const Fd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const name = reinterpret_cast<sockaddr*>(&address);
    if (!fd.valid() || ::bind(fd.get(), name, size) != 0 || ::getsockname(fd.get(), name, &size) != 0)
        die_errno("the service cannot have a port");
    widen(fd);
    Poller poller;
    const Fd standard_input(::dup(STDIN_FILENO));
    poller.watch(fd, EPOLLIN, kSocketTag);
    poller.watch(standard_input, EPOLLIN, kStdinTag);
    Json().add("port", std::uint64_t{ntohs(address.sin_port)}).print();
    DatagramBatch batch;
    std::array<char, 64> ignored;
    const auto end = Clock::now() + std::chrono::duration_cast<Clock::duration>(options.max_seconds);
    while (Clock::now() < end) {
        for (const auto& event : poller.wait(1000)) {
            if (event.data.u64 == kStdinTag && ::read(STDIN_FILENO, ignored.data(), ignored.size()) <= 0)
                return 0;
            if (event.data.u64 == kSocketTag) batch.send_back(fd, batch.receive(fd));
        }
    }
    return 0;
}

int run_udp_rr(const Options& options) {
    return DatagramLoop(options).run();
}

}  // namespace tunnel::bench
