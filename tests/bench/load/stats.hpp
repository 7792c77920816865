#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tunnel::bench {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

// Every sample of a run, in nanoseconds. A run of seconds has at most some million samples, so they are
// simply kept and sorted: no histogram whose buckets would have to be explained.
class Latencies {
  public:
    Latencies() { samples_.reserve(1U << 20U); }
    void add(Clock::duration taken);
    std::size_t count() const { return samples_.size(); }
    // The value below or at which `share` (0..1) of the samples lie, in microseconds. 0 without samples.
    double percentile_us(double share);

  private:
    std::vector<std::uint32_t> samples_;
    bool sorted_ = false;
};

// One flat JSON object, printed as one line.
class Json {
  public:
    Json& add(std::string_view key, std::string_view value);
    Json& add(std::string_view key, double value);
    Json& add(std::string_view key, std::uint64_t value);
    // Writes the line to stdout and flushes it: whoever reads the pipe waits for it.
    void print() const;

  private:
    void key(std::string_view name);
    std::string text_;
};

}  // namespace tunnel::bench
