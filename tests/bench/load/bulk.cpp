#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "tests/bench/load/pattern.hpp"
#include "tests/bench/load/stats.hpp"
#include "tests/bench/load/verbs.hpp"

namespace tunnel::bench {
namespace {

constexpr std::size_t kReadSize = 256 * 1024;
constexpr std::uint64_t kCheckEvery =
    64;  // one read in so many is copied and compared, the rest only counted
constexpr auto kSetupTime = std::chrono::seconds(15);

struct Stream {
    Fd fd;
    bool asked = false;
    std::uint64_t reads = 0;
    std::uint64_t received = 0;  // all of it
    std::uint64_t at_start = 0;  // of these, before the clock was started
};

class Bulk {
  public:
    explicit Bulk(const Options& options)
        : options_(options), pattern_(make_pattern()), buffer_(kReadSize), streams_(options.streams) {}

    int run() {
        for (std::size_t i = 0; i < streams_.size(); ++i) {
            streams_[i].fd = start_connect(options_.target);
            if (!streams_[i].fd.valid()) die_errno("connect failed");
            poller_.watch(streams_[i].fd, EPOLLOUT, i);
        }
        // The clock starts when every stream has its first byte: set-up is another case's business.
        const auto setup_deadline = Clock::now() + kSetupTime;
        while (flowing_ < streams_.size()) {
            if (Clock::now() > setup_deadline) die("not every stream received a byte within 15 s");
            turn(100);
        }
        for (auto& stream : streams_) stream.at_start = stream.received;
        const auto start = Clock::now();
        const auto end = start + std::chrono::duration_cast<Clock::duration>(options_.seconds);
        while (Clock::now() < end) turn(10);
        report(Clock::now() - start);
        return 0;
    }

  private:
    void turn(int milliseconds) {
        for (const auto& event : poller_.wait(milliseconds)) {
            auto& stream = streams_[event.data.u64];
            if (!stream.asked) {
                ask(stream, event.data.u64);
            } else {
                receive(stream);
            }
        }
    }

    void ask(Stream& stream, std::uint64_t tag) {
        if (const int error = connect_result(stream.fd); error != 0) {
            die(std::string("a stream could not connect: ") + std::strerror(error));
        }
        const std::array<std::uint8_t, kBulkRequestSize> request = {kBulk};  // length 0: endless
        if (::send(stream.fd.get(), request.data(), request.size(), MSG_NOSIGNAL) !=
            ssize_t{request.size()}) {
            die_errno("a stream could not ask for its download");
        }
        stream.asked = true;
        poller_.change(stream.fd, EPOLLIN, tag);
    }

    void receive(Stream& stream) {
        const bool check = stream.reads++ % kCheckEvery == 0;
        // MSG_TRUNC drops the bytes in the kernel (tcp(7)), so that the visitor takes little CPU from the
        // tunnel.
        const ssize_t got = ::recv(stream.fd.get(), buffer_.data(), buffer_.size(), check ? 0 : MSG_TRUNC);
        if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
        if (got < 0) die_errno("a download broke after " + std::to_string(stream.received) + " bytes");
        if (got == 0) die("a download ended after " + std::to_string(stream.received) + " bytes");
        const auto count = static_cast<std::size_t>(got);
        if (check && !matches(stream.received, count)) {
            die("wrong bytes at offset " + std::to_string(stream.received) + " of a download");
        }
        if (stream.received == 0) ++flowing_;
        stream.received += count;
    }

    bool matches(std::uint64_t offset, std::size_t count) const {
        for (std::size_t done = 0; done < count;) {
            const std::size_t place = (offset + done) % kPatternSize;
            const std::size_t part = std::min(count - done, kPatternSize - place);
            if (std::memcmp(buffer_.data() + done, pattern_->data() + place, part) != 0) return false;
            done += part;
        }
        return true;
    }

    void report(Seconds elapsed) const {
        std::uint64_t total = 0;
        std::uint64_t measured = 0;
        std::uint64_t slowest = ~std::uint64_t{0};
        for (const auto& stream : streams_) {
            total += stream.received;
            measured += stream.received - stream.at_start;
            slowest = std::min(slowest, stream.received - stream.at_start);
        }
        Json()
            .add("case", "bulk")
            .add("streams", std::uint64_t{streams_.size()})
            .add("seconds", elapsed.count())
            .add("bytes", measured)
            .add("bytes_total", total)
            .add("mb_per_second", static_cast<double>(measured) / 1e6 / elapsed.count())
            .add("slowest_stream_bytes", slowest)
            .print();
    }

    const Options& options_;
    std::unique_ptr<Pattern> pattern_;
    std::vector<std::uint8_t> buffer_;
    std::vector<Stream> streams_;
    Poller poller_;
    std::size_t flowing_ = 0;
};

}  // namespace

int run_bulk(const Options& options) {
    return Bulk(options).run();
}

}  // namespace tunnel::bench
