#include "tests/bench/load/stats.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>

namespace tunnel::bench {

void Latencies::add(Clock::duration taken) {
    const auto nanoseconds = std::chrono::duration_cast<std::chrono::nanoseconds>(taken).count();
    const auto most = static_cast<std::int64_t>(std::numeric_limits<std::uint32_t>::max());
    samples_.push_back(static_cast<std::uint32_t>(std::clamp<std::int64_t>(nanoseconds, 0, most)));
    sorted_ = false;
}

double Latencies::percentile_us(double share) {
    if (samples_.empty()) return 0;
    if (!sorted_) std::sort(samples_.begin(), samples_.end());
    sorted_ = true;
    const auto rank = static_cast<std::size_t>(std::ceil(share * static_cast<double>(samples_.size())));
    return static_cast<double>(samples_[std::clamp<std::size_t>(rank, 1, samples_.size()) - 1]) / 1000.0;
}

void Json::key(std::string_view name) {
    text_ += text_.empty() ? "{\"" : ", \"";
    text_ += name;
    text_ += "\": ";
}

Json& Json::add(std::string_view name, std::string_view value) {
    key(name);
    text_ += '"';
    for (const char c : value) {
        if (c == '"' || c == '\\') text_ += '\\';
        text_ += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
    }
    text_ += '"';
    return *this;
}

Json& Json::add(std::string_view name, double value) {
    key(name);
    char digits[64];
    std::snprintf(digits, sizeof digits, "%.6f", value);
    text_ += digits;
    return *this;
}

Json& Json::add(std::string_view name, std::uint64_t value) {
    key(name);
    text_ += std::to_string(value);
    return *this;
}

void Json::print() const {
    std::printf("%s}\n", text_.c_str());
    std::fflush(stdout);
}

}  // namespace tunnel::bench
